//! How the command line finds the token of a server on the same machine.
//!
//! The data directory's lock says which address its server has. Invariant: the admin's token goes to that address
//! only, and only while that server holds the lock: whoever else listens there does not get it.

use super::{ADMIN_FILE, Secret};
use std::fs::{File, TryLockError};
use std::io::Read;
use std::path::Path;

/// The longest text of a lock file that is looked at, in bytes.
const LOCK_BYTES_MAX: u64 = 4096;

/// The admin's token of the server that has this address and this data directory.
pub(crate) fn admin_token(data_dir: &Path, url: &str) -> Option<Secret> {
    let lock = File::open(data_dir.join("LOCK")).ok()?;
    let mut text = String::new();
    (&lock)
        .take(LOCK_BYTES_MAX)
        .read_to_string(&mut text)
        .ok()?;
    let served = text.rsplit_once(" serving ")?.1.trim();
    let held = matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock));
    if !held || authority(served) != authority(url) {
        return None;
    }
    let token = std::fs::read_to_string(data_dir.join(ADMIN_FILE)).ok()?;
    Secret::parse(token.trim())
}

/// `HOST:PORT` of an address with or without a scheme.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "fst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn the_admins_token_goes_to_the_server_that_holds_the_folder_and_to_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(ADMIN_FILE), format!("{TOKEN}\n")).unwrap();
        let find =
            |url: &str| admin_token(dir.path(), url).map(|secret| secret.expose().to_owned());
        assert_eq!(find("http://127.0.0.1:7070"), None);
        let lock = dir.path().join("LOCK");
        std::fs::write(&lock, "process 42 serving http://127.0.0.1:7070").unwrap();
        assert_eq!(find("http://127.0.0.1:7070"), None, "nobody holds it");
        let held = File::options().write(true).open(&lock).unwrap();
        held.lock().unwrap();
        for (url, found) in [
            ("http://127.0.0.1:7070", true),
            ("127.0.0.1:7070", true),
            ("https://127.0.0.1:7070/", true),
            ("http://127.0.0.1:7071", false),
            ("http://localhost:7070", false),
            ("http://127.0.0.1:70700", false),
        ] {
            assert_eq!(find(url), found.then(|| TOKEN.to_owned()), "{url}");
        }
        drop(held);
        assert_eq!(find("http://127.0.0.1:7070"), None, "nobody holds it");
    }
}
