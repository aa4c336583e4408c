//! How much memory the process may use: what was asked for, and what the machine has.
//!
//! Reads `/proc/meminfo` and the process's cgroups; where neither says anything, a gibibyte is
//! assumed. Invariant: a budget is never more than what the machine or the cgroup gives.

use flinkspark_connector::flight;
use flinkspark_model::budget::{Budget, Share};
use flinkspark_model::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The least that a server can work with, in bytes.
pub const MEMORY_BYTES_MIN: u64 = 64 << 20;

/// What is taken for the machine's memory where nothing says how much there is, in bytes.
const MACHINE_BYTES_ASSUMED: u64 = 1 << 30;

/// Units of a size, the largest first.
const UNITS: [(&str, u64); 4] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

/// An amount of memory: absolute, or a part of what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Size {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of what the machine or the cgroup gives.
    Percent(u8),
}

impl Default for Size {
    fn default() -> Self {
        Self::Percent(60)
    }
}

impl Size {
    /// The bytes, where the machine has so many.
    ///
    /// Errors: `Invalid` where it is too little to work with, or more than there is.
    pub fn resolve(self, machine_bytes: u64) -> Result<u64> {
        let bytes = match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => machine_bytes / 100 * u64::from(percent),
        };
        if bytes < MEMORY_BYTES_MIN || bytes > machine_bytes {
            return Err(refused(&self.to_string())
                .with_detail(format!(
                    "that is {bytes} bytes; a server needs {MEMORY_BYTES_MIN}, and {machine_bytes} are there"
                ))
                .with_hint("leave --memory out for 60 % of what there is, or give for example 1GiB"));
        }
        Ok(bytes)
    }
}

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            refused(text)
                .with_detail("it is no number with a unit")
                .with_hint("for example 4GiB, 512MiB, or 60% of what the machine has")
        };
        if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.trim().parse().ok();
            let percent = percent.filter(|percent| (1..=100).contains(percent));
            return percent.map(Self::Percent).ok_or_else(unknown);
        }
        let parse = |number: &str, unit: u64| {
            let number: u64 = number.trim().parse().map_err(|_| unknown())?;
            number
                .checked_mul(unit)
                .map(Self::Bytes)
                .ok_or_else(unknown)
        };
        for (name, unit) in UNITS {
            if let Some(number) = text.strip_suffix(name) {
                return parse(number, unit);
            }
        }
        parse(text.strip_suffix('B').unwrap_or(text), 1)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Bytes(bytes) => {
                let whole = |(_, unit): &&(&str, u64)| *bytes > 0 && bytes.is_multiple_of(*unit);
                match UNITS.iter().find(whole) {
                    Some((name, unit)) => write!(f, "{}{name}", bytes / unit),
                    None => write!(f, "{bytes}B"),
                }
            }
        }
    }
}

impl TryFrom<String> for Size {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

/// What sorts, aggregates and joins of batch jobs may hold: seven tenths, so that the rest of the
/// process can always work. A part is kept for them: who spills needs some memory for it, whoever puts meanwhile.
pub fn batch(budget: &Budget) -> Share {
    share(budget, "batch", 70, 15)
}

/// What the state of stream jobs and what waits between their tasks may hold: as much.
pub fn stream(budget: &Budget) -> Share {
    share(budget, "stream", 70, 15)
}

/// What rows on their way in and out may hold. Parts of it are kept for them whatever jobs take, so that the
/// server always answers.
pub fn flight(budget: &Budget) -> flight::Memory {
    flight::Memory {
        puts: share(budget, "puts", 35, 10),
        writers: share(budget, "writers", 15, 4),
        gets: share(budget, "gets", 25, 12),
        reads: share(budget, "reads", 25, 10),
    }
}

/// So many hundredths of the budget at most, and so many that are kept.
fn share(budget: &Budget, name: &'static str, most: u64, kept: u64) -> Share {
    let hundredth = budget.limit() / 100;
    budget.kept_share(name, hundredth * most, hundredth * kept)
}

/// What the machine or the process's cgroup gives, in bytes.
pub fn machine_bytes() -> u64 {
    given_bytes(|path| std::fs::read_to_string(path).ok())
}

/// The same of files that `read` gives the text of.
fn given_bytes(read: impl Fn(&Path) -> Option<String>) -> u64 {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| mem_total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = limit_files(&groups).into_iter();
    let group = limits.filter_map(|file| read(&file)?.trim().parse::<u64>().ok());
    let least = machine.into_iter().chain(group).min();
    least.unwrap_or(MACHINE_BYTES_ASSUMED)
}

fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// The files that may hold a limit of one of the process's groups or of a group above it. A file
/// that says `max`, or is not there, sets none.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            some if some.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        for above in Path::new(group.trim_start_matches('/')).ancestors() {
            files.push(Path::new(root).join(above).join(file));
        }
    }
    files
}

fn refused(text: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0033",
        format!("--memory \"{}\" cannot be used", text.escape_debug()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, size) in [
            ("4GiB", Size::Bytes(4 << 30)),
            ("512 MiB", Size::Bytes(512 << 20)),
            ("1000", Size::Bytes(1000)),
            ("1000B", Size::Bytes(1000)),
            ("60%", Size::Percent(60)),
        ] {
            assert_eq!(text.parse::<Size>().unwrap(), size, "{text}");
            assert_eq!(size.to_string().parse::<Size>().unwrap(), size, "{text}");
        }
        for text in [
            "",
            "GiB",
            "4 GB",
            "-1",
            "0%",
            "101%",
            "9999999999TiB",
            "1.5GiB",
        ] {
            assert_eq!(text.parse::<Size>().unwrap_err().code(), "FS0033", "{text}");
        }
    }

    #[test]
    fn a_budget_is_within_what_there_is() {
        let machine = 10 << 30;
        assert_eq!(
            Size::default().resolve(machine).unwrap(),
            machine / 100 * 60
        );
        assert_eq!(Size::Bytes(1 << 30).resolve(machine).unwrap(), 1 << 30);
        for size in [Size::Bytes(1), Size::Bytes(11 << 30), Size::Percent(1)] {
            assert_eq!(size.resolve(1 << 30).unwrap_err().code(), "FS0033");
        }
    }

    #[test]
    fn both_generations_of_cgroups_are_asked_at_every_level() {
        let files = limit_files("12:cpu,memory:/a\n3:cpuset:/b\n0::/c/d\n");
        let shown: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        assert_eq!(
            shown,
            [
                "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "/sys/fs/cgroup/c/d/memory.max",
                "/sys/fs/cgroup/c/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
    }

    #[test]
    fn what_there_is_is_the_least_of_the_machine_and_every_group() {
        let of = |files: &[(&str, &str)]| {
            let files: Vec<(PathBuf, String)> = files
                .iter()
                .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
                .collect();
            given_bytes(move |path| {
                let found = files.iter().find(|(known, _)| known == path);
                found.map(|(_, text)| text.clone())
            })
        };
        let machine = ("/proc/meminfo", "MemTotal: 8192 kB\n");
        let groups = ("/proc/self/cgroup", "0::/pod/box\n");
        let inner = ("/sys/fs/cgroup/pod/box/memory.max", "max\n");
        let outer = ("/sys/fs/cgroup/pod/memory.max", "3145728\n");
        assert_eq!(of(&[machine]), 8 << 20);
        assert_eq!(of(&[machine, groups, inner]), 8 << 20);
        assert_eq!(of(&[machine, groups, inner, outer]), 3 << 20);
        assert_eq!(of(&[]), MACHINE_BYTES_ASSUMED);
    }

    #[test]
    fn the_machines_memory_is_in_kibibytes() {
        assert_eq!(
            mem_total("MemTotal:  16 kB\nMemFree: 1 kB\n"),
            Some(16 << 10)
        );
        assert_eq!(mem_total("MemFree: 1 kB\n"), None);
    }
}
