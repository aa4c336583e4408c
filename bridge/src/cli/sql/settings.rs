//! What `SET` sets.
//!
//! Flink's own names, as far as they mean something here. Invariant: a setting is obeyed or refused, never dropped.

use super::super::args::{JobOptions, Target};
use super::super::duration;
use flinkspark_model::{Error, Kind, Result};
use std::collections::BTreeMap;

/// What is known, and what it says.
pub(super) const KNOWN: [(&str, &str); 6] = [
    (
        "execution.runtime-mode",
        "batch or streaming: the engine of jobs and questions, and the home whose answers jobs keep",
    ),
    ("parallelism.default", "how many subtasks an operator has"),
    (
        "execution.checkpointing.interval",
        "how often a checkpoint is taken, such as 10s",
    ),
    (
        "sql-client.execution.max-table-result.rows",
        "the most rows of a SELECT that are printed",
    ),
    ("table.local-time-zone", "UTC"),
    (
        "sql-client.verbose",
        "true or false: errors have all there is to say in either case",
    ),
];

/// The settings of a session.
pub(super) struct Settings {
    /// What the command line says.
    base: JobOptions,
    on: Option<Target>,
    given: BTreeMap<String, String>,
}

impl Settings {
    pub(super) fn new(on: Option<Target>, base: JobOptions) -> Self {
        Self {
            base,
            on,
            given: BTreeMap::new(),
        }
    }

    /// `FS0812` where the setting is unknown, or cannot be obeyed.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let expected = |what: &str| {
            refuse(
                key,
                &format!("it is {what}, and not \"{}\"", value.escape_debug()),
            )
        };
        match key {
            "execution.runtime-mode" => {
                let target = target(value).ok_or_else(|| expected("batch or streaming"))?;
                if self.on.is_some_and(|on| on != target) {
                    return Err(refuse(
                        key,
                        "the command line names another engine with --on",
                    ));
                }
            }
            "parallelism.default" => {
                value.parse::<u32>().map_err(|_| expected("a number"))?;
            }
            "execution.checkpointing.interval" => {
                interval(value).map_err(|_| expected("a duration, such as 10s"))?;
            }
            "sql-client.execution.max-table-result.rows" => {
                value.parse::<u64>().map_err(|_| expected("a number"))?;
            }
            "table.local-time-zone" if value == "UTC" => {}
            "table.local-time-zone" => return Err(expected("UTC, the only one that is obeyed")),
            "sql-client.verbose" if matches!(value, "true" | "false") => {}
            "sql-client.verbose" => return Err(expected("true or false")),
            _ => return Err(refuse(key, "it is not known")),
        }
        self.given.insert(key.into(), value.into());
        Ok(())
    }

    /// Back to what holds without it; to all where none is named.
    pub(super) fn reset(&mut self, key: Option<&str>) -> Result<()> {
        match key {
            None => self.given.clear(),
            Some(key) if KNOWN.iter().any(|(known, _)| *known == key) => {
                self.given.remove(key);
            }
            Some(key) => return Err(refuse(key, "it is not known")),
        }
        Ok(())
    }

    /// Each setting that is known: its name, its value where it was given, and what it says.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, Option<&str>, &'static str)> {
        KNOWN
            .iter()
            .map(|(key, says)| (*key, self.given(key), *says))
    }

    fn given(&self, key: &str) -> Option<&str> {
        self.given.get(key).map(String::as_str)
    }

    /// The engine of jobs and of questions.
    pub(super) fn target(&self) -> Target {
        let given = self.given("execution.runtime-mode").and_then(target);
        self.on.or(given).unwrap_or(Target::Batch)
    }

    /// The most rows of a SELECT.
    pub(super) fn limit(&self) -> Option<u64> {
        self.given("sql-client.execution.max-table-result.rows")?
            .parse()
            .ok()
    }

    /// The options of jobs.
    pub(super) fn options(&self) -> JobOptions {
        let mut options = self.base.clone();
        let parallelism = self.given("parallelism.default");
        options.parallelism = parallelism
            .and_then(|n| n.parse().ok())
            .or(options.parallelism);
        let every = self.given("execution.checkpointing.interval");
        options.checkpoint_interval = every
            .and_then(|text| interval(text).ok())
            .or(options.checkpoint_interval);
        let home = self.given("execution.runtime-mode").and_then(target);
        options.home = options.home.or(home.map(|target| match target {
            Target::Batch => "flink/batch".into(),
            Target::Stream => "flink/streaming".into(),
        }));
        options
    }
}

fn target(mode: &str) -> Option<Target> {
    match mode.to_ascii_lowercase().as_str() {
        "batch" => Some(Target::Batch),
        "streaming" => Some(Target::Stream),
        _ => None,
    }
}

/// Flink writes `10 s` and `1 min`, too.
fn interval(text: &str) -> std::result::Result<u64, String> {
    duration::parse_ms(&text.replace(' ', ""))
}

fn refuse(key: &str, why: &str) -> Error {
    let known: Vec<&str> = KNOWN.iter().map(|(key, _)| *key).collect();
    let message = format!("the setting \"{}\" cannot be obeyed", key.escape_debug());
    Error::new(Kind::Invalid, "FS0812", message)
        .with_detail(why)
        .with_hint(format!("these are known: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> JobOptions {
        JobOptions {
            parallelism: None,
            home: None,
            watermark: Vec::new(),
            late_to: None,
            rate: None,
            checkpoint_interval: None,
            retries: None,
        }
    }

    #[test]
    fn what_is_set_is_obeyed_until_it_is_reset() -> Result<()> {
        let mut settings = Settings::new(None, empty());
        assert_eq!(settings.target(), Target::Batch);
        settings.set("execution.runtime-mode", "STREAMING")?;
        settings.set("execution.checkpointing.interval", "1 min")?;
        settings.set("parallelism.default", "3")?;
        settings.set("sql-client.execution.max-table-result.rows", "7")?;
        let options = settings.options();
        assert_eq!(settings.target(), Target::Stream);
        assert_eq!(options.home.as_deref(), Some("flink/streaming"));
        assert_eq!(
            (options.checkpoint_interval, options.parallelism),
            (Some(60_000), Some(3))
        );
        assert_eq!(settings.limit(), Some(7));
        settings.reset(Some("parallelism.default"))?;
        assert_eq!(settings.options().parallelism, None);
        settings.reset(None)?;
        assert_eq!(settings.target(), Target::Batch);
        Ok(())
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused_by_name() {
        let mut settings = Settings::new(Some(Target::Stream), empty());
        for (key, value) in [
            ("execution.runtime-mode", "batch"),
            ("execution.runtime-mode", "automatic"),
            ("parallelism.default", "many"),
            ("execution.checkpointing.interval", "soon"),
            ("table.local-time-zone", "Europe/Berlin"),
            ("sql-client.verbose", "perhaps"),
            ("state.backend", "rocksdb"),
        ] {
            let refused = settings
                .set(key, value)
                .map_err(|error| error.code().to_owned());
            assert_eq!(refused, Err("FS0812".into()), "{key} = {value}");
        }
        assert!(settings.reset(Some("state.backend")).is_err());
        assert!(settings.all().all(|(_, value, _)| value.is_none()));
    }
}
