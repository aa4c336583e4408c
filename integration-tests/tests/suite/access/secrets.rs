//! A secret is in its holder's file and nowhere else.

use flinkspark_integration_tests::Step;
use flinkspark_integration_tests::command::{Build, flinkspark};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that logs everything into a file.
struct Loud {
    child: Child,
}

impl Drop for Loud {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn loud(data: &Path, log: &Path) -> Step<(Loud, String, String)> {
    let mut command = flinkspark(Build::Plain)?;
    command.args([
        "serve",
        "--grpc",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--log",
        "trace",
        "--data-dir",
    ]);
    let out = std::fs::File::create(log)?;
    command
        .arg(data)
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out);
    let child = Loud {
        child: command.spawn()?,
    };
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        let text = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
        let ready = text.lines().find_map(|line| {
            line.strip_prefix("flinkspark is ready: gRPC on ")?
                .split_once(", HTTP on ")
        });
        if let Some((grpc, http)) = ready {
            return Ok((child, grpc.into(), http.trim().into()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("the server was not ready".into())
}

/// Everything below a folder but these files.
fn holds(folder: &Path, but: &[&str], secret: &str) -> Step<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(holds(&path, but, secret)?);
        } else if !but.iter().any(|name| path.ends_with(name)) {
            let mut bytes = Vec::new();
            std::fs::File::open(&path)?.read_to_end(&mut bytes)?;
            if bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
            {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(found)
}

#[test]
fn a_canary_is_in_no_log_error_metric_or_export() -> Step {
    let dir = tempfile::tempdir()?;
    let (data, log) = (dir.path().join("data"), dir.path().join("log"));
    let (server, grpc, http) = loud(&data, &log)?;
    let url = format!("http://{grpc}");
    let mut said = String::new();
    let mut run = |arguments: &[&str], token: Option<&str>| -> Step<String> {
        let mut command = flinkspark(Build::Plain)?;
        command.args(arguments).env("FLINKSPARK_URL", &url);
        if let Some(token) = token {
            command.env("FLINKSPARK_TOKEN", token);
        }
        let output = command.output()?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        if arguments.first() != Some(&"token") || arguments.get(1) != Some(&"create") {
            said.push_str(&out);
        }
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(out)
    };
    let flights = crate::file("data/flights.parquet")?;
    let canary = run(
        &["token", "create", "ann", "--grant", "*:read,write,create"],
        None,
    )?;
    let canary = canary.trim();
    let admin = std::fs::read_to_string(data.join("admin.token"))?;
    let admin = admin.trim();
    let wrong = format!("{}A", &canary[..canary.len() - 1]);
    for token in [canary, admin, &wrong] {
        for arguments in [
            &["transfer", &flights, "dataset://web.clicks"][..],
            &["dataset", "head", "web.clicks"],
            &["dataset", "drop", "web.clicks"],
            &["dataset", "head", "web..x"],
            &["query", "SELECT origin FROM web.clicks LIMIT 1"],
            &["job", "run", "/nowhere.sql"],
            &["config", "show"],
            &["-o", "json", "token", "list"],
            &["token", "revoke", "nobody"],
        ] {
            run(arguments, Some(token))?;
        }
    }
    let fetched = Command::new("curl")
        .args([
            "--silent",
            "--include",
            "--header",
            &format!("Authorization: Bearer {admin}"),
        ])
        .args(["metrics", "readyz", "healthz"].map(|path| format!("http://{http}/{path}")))
        .output()?;
    assert!(fetched.stdout.len() > 1000, "{fetched:?}");
    said.push_str(&String::from_utf8_lossy(&fetched.stdout));
    drop(server);
    let export = dir.path().join("export.jsonl");
    let mut command = flinkspark(Build::Plain)?;
    command.args(["catalog", "export", "--data-dir"]).arg(&data);
    let exported = command.output()?;
    std::fs::write(&export, exported.stdout)?;
    assert!(
        std::fs::metadata(&log)?.len() > 10_000,
        "it logs everything"
    );
    for (secret, but) in [
        (canary, &[][..]),
        (admin, &["data/admin.token"]),
        (&wrong, &[]),
    ] {
        assert!(!said.contains(secret), "a command said a secret");
        // The last third alone would be as bad.
        assert!(
            !said.contains(&secret[30..]),
            "a command said a part of a secret"
        );
        assert_eq!(holds(dir.path(), but, secret)?, Vec::<String>::new());
        assert_eq!(holds(dir.path(), but, &secret[30..])?, Vec::<String>::new());
    }
    Ok(())
}
