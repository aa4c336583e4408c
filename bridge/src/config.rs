//! Configuration: documented defaults, then a file, then the environment, then flags.
//!
//! Invariant: a [`Config`] that was validated can be served; unknown keys are refused by name.

pub(crate) mod advertise;

use crate::memory::Size;
use flinkspark_model::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the server's gRPC port is when nothing is said.
pub const GRPC_DEFAULT: &str = "127.0.0.1:7070";
/// Where the server's HTTP port is when nothing is said.
pub const HTTP_DEFAULT: &str = "127.0.0.1:7071";
/// Where clients look for the bridge when nothing is said.
pub const URL_DEFAULT: &str = "http://127.0.0.1:7070";
/// The keys of every setting, in the order in which they are shown.
pub const KEYS: [&str; 9] = [
    "advertise",
    "data_dir",
    "grpc",
    "http",
    "log",
    "memory",
    "tls_cert",
    "tls_client_ca",
    "tls_key",
];
/// How long a shutdown may take, in milliseconds.
pub const SHUTDOWN_MS: u64 = 22_000;

/// The server's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where clients are told that the bridge is: `https://HOST:PORT`. Default: nothing, and they go on where they asked.
    pub advertise: String,
    /// Where everything is kept. Default: the platform's data directory for `flinkspark`.
    pub data_dir: PathBuf,
    /// The address of Arrow Flight and the gRPC services. Default: 127.0.0.1:7070. Port 0 takes a free one.
    pub grpc: SocketAddr,
    /// The address of metrics and health. Default: 127.0.0.1:7071. Port 0 takes a free one.
    pub http: SocketAddr,
    /// What is logged to stderr, as a `tracing` filter. Default: `warn,flinkspark=info`.
    pub log: String,
    /// The memory that jobs share. Default: 60 % of the machine's, or of the
    /// cgroup's where that is less.
    pub memory: Size,
    /// The server's certificate and those that signed it, in PEM. Default: none, and there is no TLS.
    pub tls_cert: PathBuf,
    /// The certificates that a client's own must be signed by, in PEM. Default: none, and clients need none.
    pub tls_client_ca: PathBuf,
    /// The certificate's key, in PEM. Default: none.
    pub tls_key: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            advertise: String::new(),
            data_dir: data_dir_default(),
            grpc: SocketAddr::from(([127, 0, 0, 1], 7070)),
            http: SocketAddr::from(([127, 0, 0, 1], 7071)),
            log: "warn,flinkspark=info".into(),
            memory: Size::default(),
            tls_cert: PathBuf::new(),
            tls_client_ca: PathBuf::new(),
            tls_key: PathBuf::new(),
        }
    }
}

/// What flags and the environment say; `None` leaves it to the file.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Overrides {
    /// A configuration file in TOML
    #[arg(long, env = "FLINKSPARK_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where everything is kept
    #[arg(long, env = "FLINKSPARK_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The address of Arrow Flight and the gRPC services
    #[arg(long, env = "FLINKSPARK_GRPC", value_name = "ADDRESS")]
    pub grpc: Option<SocketAddr>,
    /// The address of metrics and health
    #[arg(long, env = "FLINKSPARK_HTTP", value_name = "ADDRESS")]
    pub http: Option<SocketAddr>,
    /// What is logged to stderr
    #[arg(long, env = "FLINKSPARK_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// The memory that jobs share: 4GiB, 512MiB or 60%
    #[arg(long, env = "FLINKSPARK_MEMORY", value_name = "SIZE")]
    pub memory: Option<Size>,
    /// Where clients are told that the bridge is: https://HOST:PORT
    #[arg(long, env = "FLINKSPARK_ADVERTISE", value_name = "URL")]
    pub advertise: Option<String>,
    /// The server's certificate in PEM: both ports speak TLS
    #[arg(long, env = "FLINKSPARK_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key in PEM
    #[arg(long, env = "FLINKSPARK_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Take only clients whose certificate is signed by one of these, in PEM
    #[arg(long, env = "FLINKSPARK_TLS_CLIENT_CA", value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,
    /// What of this flags say and what the environment does; a value of which nothing is known is a flag's.
    #[arg(skip)]
    pub said: BTreeMap<&'static str, Source>,
}

impl Overrides {
    /// What a command line says of where its values come from.
    pub fn said(matches: &clap::ArgMatches) -> BTreeMap<&'static str, Source> {
        let mut innermost = matches;
        while let Some((_, below)) = innermost.subcommand() {
            innermost = below;
        }
        let source = |key: &&'static str| {
            // A command that takes no such flag says nothing of it.
            innermost.try_contains_id(key).ok().filter(|said| *said)?;
            match innermost.value_source(key)? {
                clap::parser::ValueSource::CommandLine => Some((*key, Source::Flag)),
                clap::parser::ValueSource::EnvVariable => Some((*key, Source::Environment)),
                _ => None,
            }
        };
        let keys = KEYS.iter().chain(["config"].iter());
        keys.filter_map(source).collect()
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag,
    /// A variable of the environment.
    Environment,
    /// The configuration file.
    File,
    /// Nobody said anything.
    Default,
}

impl Source {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// One setting as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key, as a file has it.
    pub name: &'static str,
    /// The value, as text.
    pub value: String,
    /// Where it comes from.
    pub source: Source,
}

/// A configuration, and where its values come from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The values.
    pub config: Config,
    sources: BTreeMap<&'static str, Source>,
}

impl From<Config> for Resolved {
    /// Values that somebody made up: nothing is known of where they come from.
    fn from(config: Config) -> Self {
        let sources = BTreeMap::new();
        Self { config, sources }
    }
}

impl Resolved {
    /// Reads the file, where there is one, and applies the overrides.
    pub fn load(overrides: &Overrides) -> Result<Self> {
        let (mut config, in_file) = match &overrides.config {
            Some(path) => read(path)?,
            None => (Config::default(), toml::Table::new()),
        };
        let mut said_here = BTreeSet::new();
        let mut give = Give {
            config: &mut config,
            given: &mut said_here,
        };
        let over = overrides.clone();
        give.over("advertise", over.advertise, |config| &mut config.advertise);
        give.over("data_dir", over.data_dir, |config| &mut config.data_dir);
        give.over("grpc", over.grpc, |config| &mut config.grpc);
        give.over("http", over.http, |config| &mut config.http);
        give.over("log", over.log, |config| &mut config.log);
        give.over("memory", over.memory, |config| &mut config.memory);
        give.over("tls_cert", over.tls_cert, |config| &mut config.tls_cert);
        give.over("tls_client_ca", over.tls_client_ca, |config| {
            &mut config.tls_client_ca
        });
        give.over("tls_key", over.tls_key, |config| &mut config.tls_key);
        let source = |key: &'static str| {
            let source = match said_here.contains(key) {
                true => over.said.get(key).copied().unwrap_or(Source::Flag),
                false if in_file.contains_key(key) => Source::File,
                false => Source::Default,
            };
            (key, source)
        };
        let sources = KEYS.into_iter().map(source).collect();
        config.validate()?;
        Ok(Self { config, sources })
    }

    /// Every setting, in the order of [`KEYS`].
    pub fn settings(&self) -> Result<Vec<Setting>> {
        let table = toml::Table::try_from(&self.config).map_err(|cause| {
            let what = "the configuration cannot be shown";
            Error::new(Kind::Internal, "FS0007", what).with_source(cause)
        })?;
        let setting = |name: &'static str| Setting {
            name,
            value: match table.get(name) {
                Some(toml::Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            },
            source: self.sources.get(name).copied().unwrap_or(Source::Default),
        };
        Ok(KEYS.into_iter().map(setting).collect())
    }
}

impl Config {
    /// Reads the file, where there is one, and applies the overrides.
    pub fn load(overrides: &Overrides) -> Result<Self> {
        Resolved::load(overrides).map(|resolved| resolved.config)
    }

    /// Refuses what must not be served: an address that others can reach without TLS, half of a certificate,
    /// and an advertised address that is none. Whether there are tokens is asked when the data directory is open.
    pub fn validate(&self) -> Result<()> {
        let (cert, key) = (has(&self.tls_cert), has(&self.tls_key));
        if cert != key || (has(&self.tls_client_ca) && !cert) {
            return Err(Error::new(
                Kind::Invalid,
                "FS1111",
                "TLS needs a certificate and its key",
            )
            .with_detail("one of --tls-cert and --tls-key is missing")
            .with_hint("give both, or neither and no --tls-client-ca"));
        }
        if !cert {
            self.check_addresses("without TLS anybody on the way could read and write")?;
        }
        advertise::parse(&self.advertise).map(|_| ())
    }

    /// Refuses addresses that others can reach, for a reason.
    ///
    /// Errors: `Invalid` (`FS0006`) with the flag.
    pub fn check_addresses(&self, why: &str) -> Result<()> {
        for (flag, address) in [("--grpc", self.grpc), ("--http", self.http)] {
            if !address.ip().is_loopback() {
                return Err(Error::new(
                    Kind::Invalid,
                    "FS0006",
                    format!("{flag} {address} is not a loopback address"),
                )
                .with_detail(why)
                .with_hint(
                    "start it on 127.0.0.1, make a token with `flinkspark token create`, and start it again \
                     with --tls-cert and --tls-key",
                ));
            }
        }
        Ok(())
    }

    /// Whether both ports speak TLS.
    pub fn has_tls(&self) -> bool {
        has(&self.tls_cert)
    }
}

fn has(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

/// The token that the environment gives to clients.
#[expect(
    clippy::disallowed_methods,
    reason = "a secret that is no flag: nothing of it is to be on a command line or in its help"
)]
pub(crate) fn token() -> Option<String> {
    let token = std::env::var("FLINKSPARK_TOKEN").ok();
    token.filter(|token| !token.trim().is_empty())
}

/// Where a server on this machine keeps its data, as far as the environment says.
#[expect(
    clippy::disallowed_methods,
    reason = "clients have no flag for what is the server's"
)]
pub(crate) fn data_dir() -> PathBuf {
    let said = std::env::var_os("FLINKSPARK_DATA_DIR").filter(|dir| !dir.is_empty());
    said.map_or_else(data_dir_default, PathBuf::from)
}

/// Puts what flags and the environment say over a configuration.
struct Give<'a> {
    config: &'a mut Config,
    given: &'a mut BTreeSet<&'static str>,
}

impl Give<'_> {
    fn over<T>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        of: impl FnOnce(&mut Config) -> &mut T,
    ) {
        if let Some(value) = value {
            *of(self.config) = value;
            self.given.insert(key);
        }
    }
}

/// A file's configuration, and the keys that stand in it.
fn read(path: &Path) -> Result<(Config, toml::Table)> {
    let refuse = |cause: String| {
        Error::new(
            Kind::Invalid,
            "FS0007",
            format!("the configuration file {} cannot be used", path.display()),
        )
        .with_detail(cause)
        .with_hint("`flinkspark config show` prints every key with its default")
    };
    let text = std::fs::read_to_string(path).map_err(|cause| refuse(cause.to_string()))?;
    let config = toml::from_str(&text).map_err(|cause| refuse(cause.to_string()))?;
    let table = toml::from_str(&text).map_err(|cause| refuse(cause.to_string()))?;
    Ok((config, table))
}

fn data_dir_default() -> PathBuf {
    directories::ProjectDirs::from("", "", "flinkspark").map_or_else(
        || PathBuf::from("flinkspark-data"),
        |dirs| dirs.data_dir().to_path_buf(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, Overrides) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("flinkspark.toml");
        std::fs::write(&path, text).unwrap();
        (
            dir,
            Overrides {
                config: Some(path),
                ..Overrides::default()
            },
        )
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let (_dir, mut overrides) = file("grpc = \"127.0.0.1:1\"\nhttp = \"127.0.0.1:2\"");
        overrides.http = Some("127.0.0.1:3".parse().unwrap());
        let config = Config::load(&overrides).unwrap();
        assert_eq!((config.grpc.port(), config.http.port()), (1, 3));
        assert_eq!(config.log, Config::default().log);
    }

    #[test]
    fn each_value_says_where_it_comes_from() {
        let (_dir, mut overrides) = file("grpc = \"127.0.0.1:1\"\nhttp = \"127.0.0.1:2\"");
        overrides.http = Some("127.0.0.1:3".parse().unwrap());
        overrides.log = Some("info".into());
        overrides.said = BTreeMap::from([("log", Source::Environment), ("http", Source::Flag)]);
        let settings = Resolved::load(&overrides).unwrap().settings().unwrap();
        let settings: Vec<_> = settings
            .iter()
            .map(|setting| (setting.name, setting.value.as_str(), setting.source.name()))
            .collect();
        let data_dir = Config::default().data_dir;
        let memory = Config::default().memory.to_string();
        assert_eq!(
            settings,
            [
                ("advertise", "", "default"),
                ("data_dir", data_dir.to_str().unwrap(), "default"),
                ("grpc", "127.0.0.1:1", "file"),
                ("http", "127.0.0.1:3", "flag"),
                ("log", "info", "environment"),
                ("memory", memory.as_str(), "default"),
                ("tls_cert", "", "default"),
                ("tls_client_ca", "", "default"),
                ("tls_key", "", "default"),
            ]
        );
    }

    #[test]
    fn every_key_of_a_configuration_is_shown() {
        let table = toml::Table::try_from(Config::default()).unwrap();
        let keys: Vec<&str> = table.keys().map(String::as_str).collect();
        assert_eq!(keys.len(), KEYS.len());
        assert!(keys.iter().all(|key| KEYS.contains(key)), "{keys:?}");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let (_dir, overrides) = file("grcp = \"127.0.0.1:1\"");
        let error = Config::load(&overrides).unwrap_err();
        assert_eq!(error.code(), "FS0007");
        assert!(error.detail().unwrap().contains("grcp"), "{error}");
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused_without_tls() {
        let overrides = Overrides {
            grpc: Some("0.0.0.0:7070".parse().unwrap()),
            ..Overrides::default()
        };
        assert_eq!(Config::load(&overrides).unwrap_err().code(), "FS0006");
        let half = Overrides {
            tls_cert: Some("cert.pem".into()),
            ..overrides
        };
        assert_eq!(Config::load(&half).unwrap_err().code(), "FS1111");
        let whole = Overrides {
            tls_key: Some("key.pem".into()),
            ..half
        };
        Config::load(&whole).unwrap();
    }

    #[test]
    fn what_is_shown_can_be_read_back() {
        let text = toml::to_string(&Config::default()).unwrap();
        let (_dir, overrides) = file(&text);
        assert_eq!(Config::load(&overrides).unwrap(), Config::default());
    }
}
