//! Whether the server can do its work, and what it does where it cannot.
//!
//! Owns the pauses between two attempts to take up again what a failed write or sync has stopped; the
//! store and the catalogue know how. Invariant: `/readyz`, gRPC's health and the metrics say the same.

use crate::damage::{Damage, Object};
use flinkspark_connector::store::local::Local;
use flinkspark_metadata::Catalogue;
use flinkspark_model::{Error, Kind, Result};
use prometheus::{IntGauge, IntGaugeVec, Opts};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// How often the server looks at itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two attempts, at most: each pause is twice the last.
const PAUSE_LOOKS_MAX: u32 = 60;

/// What readiness is made of. Cheap to clone.
#[derive(Clone)]
pub(super) struct Readiness {
    /// Every service was started, and none was stopped.
    pub(super) started: Arc<AtomicBool>,
    /// The store.
    pub(super) store: Local,
    /// The catalogue.
    pub(super) catalogue: Arc<Catalogue>,
    /// What is damaged.
    pub(super) damage: Damage,
}

impl Readiness {
    /// Why the server cannot do its work; none where it can. One damaged dataset or job is no reason.
    pub(super) fn reasons(&self) -> Vec<(&'static str, Error)> {
        let starting = (!self.started.load(Ordering::Acquire)).then(|| {
            Error::new(Kind::Unavailable, "FS0022", "the server is not ready")
                .with_detail("it starts, or it stops")
                .with_hint("ask again in a moment")
        });
        let parts = [
            ("server", starting),
            ("store", self.store.poisoned()),
            ("catalogue", self.catalogue.stalled()),
        ];
        let reason = |(part, error): (_, Option<Error>)| error.map(|error| (part, error));
        parts.into_iter().filter_map(reason).collect()
    }

    /// What `/readyz` answers: whether the server is ready, why not, and what is damaged. Names of datasets and jobs
    /// are for `all` only.
    pub(super) fn report(&self, all: bool) -> (bool, Value) {
        let reasons = self.reasons();
        let ready = reasons.is_empty();
        let reasons = reasons
            .iter()
            .map(|(part, error)| described("part", part.to_string(), error));
        let damaged = self.damage.all();
        let named = |object: &Object| matches!(object, Object::Dataset(..) | Object::Job(_));
        let damaged = damaged
            .iter()
            .filter(|(object, _)| all || !named(object))
            .map(|(object, error)| described("object", object.to_string(), error));
        let report = json!({
            "ready": ready,
            "reasons": reasons.collect::<Vec<_>>(),
            "damaged": damaged.collect::<Vec<_>>(),
        });
        (ready, report)
    }
}

fn described(name: &str, of: String, error: &Error) -> Value {
    json!({
        name: of,
        "code": error.code(),
        "message": error.message(),
        "detail": error.detail(),
        "hint": error.hint(),
    })
}

/// The gauges that show it.
pub(super) struct Gauges {
    stalled: IntGaugeVec,
    damaged: IntGauge,
}

impl Gauges {
    /// Registers them.
    pub(super) fn new(metrics: &crate::metrics::Metrics) -> Result<Self> {
        let stalled = IntGaugeVec::new(
            Opts::new(
                "flinkspark_part_stalled",
                "Whether a part takes no writes since one of them failed",
            ),
            &["part"],
        );
        let damaged = IntGauge::new(
            "flinkspark_damaged_objects",
            "Datasets, jobs and other objects that are damaged",
        );
        Ok(Self {
            stalled: metrics.keep(stalled)?,
            damaged: metrics.keep(damaged)?,
        })
    }

    fn show(&self, readiness: &Readiness) {
        let reasons = readiness.reasons();
        for part in ["store", "catalogue"] {
            let stalled = reasons.iter().any(|(of, _)| *of == part);
            self.stalled.with_label_values(&[part]).set(stalled.into());
        }
        let damaged = readiness.damage.all().len();
        self.damaged.set(i64::try_from(damaged).unwrap_or(i64::MAX));
    }
}

/// When the next attempt is due: 1, 2, 4, ... looks after the last, at most a minute.
#[derive(Default)]
struct Backoff {
    pause: u32,
    left: u32,
}

impl Backoff {
    /// Whether to try now.
    fn due(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.pause = (self.pause * 2).clamp(1, PAUSE_LOOKS_MAX);
        self.left = self.pause;
        true
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Looks at the server until it closes; what is stalled is taken up again as soon as it can be.
pub(super) async fn watch_over(
    readiness: Readiness,
    gauges: Gauges,
    health: HealthReporter,
    mut closing: watch::Receiver<bool>,
) -> Result<()> {
    let looks = async {
        let (mut store, mut catalogue) = (Backoff::default(), Backoff::default());
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            if readiness.store.poisoned().is_none() {
                store.reset();
            } else if store.due()
                && let Err(error) = readiness.store.reopen().await
            {
                tracing::warn!(%error, "the store still takes no writes");
            }
            if readiness.catalogue.damage().is_some() || readiness.catalogue.stalled().is_none() {
                catalogue.reset();
            } else if catalogue.due()
                && let Err(error) = readiness.catalogue.reopen().await
            {
                tracing::warn!(%error, "the catalogue still takes no changes");
            }
            gauges.show(&readiness);
            let status = if readiness.reasons().is_empty() {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            health.set_service_status("", status).await;
        }
    };
    tokio::select! {
        // An error means that the server is gone, which is a close as well.
        _ = closing.wait_for(|closing| *closing) => {}
        () = looks => {}
    }
    health
        .set_service_status("", ServingStatus::NotServing)
        .await;
    Ok(())
}

/// What is damaged as a whole, as far as it is known when the server starts.
pub(super) fn note_wholes(damage: &Damage, catalogue: &Catalogue, key: Option<&Error>) {
    if let Some(error) = catalogue.damage() {
        damage.note(Object::Catalogue, &error);
    }
    if let Some(error) = key {
        damage.note(Object::Key, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{SystemClock, SystemEntropy};

    #[tokio::test]
    async fn a_server_that_starts_says_why_it_is_not_ready_and_damage_alone_is_no_reason() {
        let dir = tempfile::tempdir().unwrap();
        let options = flinkspark_metadata::Options::new(dir.path().join("catalogue"));
        let catalogue = Catalogue::open(&options, Arc::new(SystemClock), Arc::new(SystemEntropy));
        let readiness = Readiness {
            started: Arc::new(AtomicBool::new(false)),
            store: Local::open(&dir.path().join("log")).await.unwrap(),
            catalogue: Arc::new(catalogue.unwrap()),
            damage: Damage::default(),
        };
        let (ready, report) = readiness.report(true);
        assert!(!ready);
        assert_eq!(report["reasons"][0]["part"], "server");
        assert_eq!(report["reasons"][0]["code"], "FS0022");
        assert_eq!(report["reasons"].as_array().map(Vec::len), Some(1));
        readiness.started.store(true, Ordering::Release);
        let lost = Error::new(Kind::Data, "FS1002", "lost");
        readiness.damage.note(Object::Job("nightly".into()), &lost);
        let (ready, report) = readiness.report(true);
        assert!(ready, "{report}");
        assert_eq!(report["reasons"].as_array().map(Vec::len), Some(0));
        assert_eq!(report["damaged"][0]["object"], "job nightly");
        let (_, report) = readiness.report(false);
        assert_eq!(report["damaged"].as_array().map(Vec::len), Some(0));
    }

    #[test]
    fn attempts_come_at_longer_and_longer_intervals_up_to_a_minute() {
        let mut backoff = Backoff::default();
        let tried: Vec<u32> = (0..200).filter(|_| backoff.due()).collect();
        assert_eq!(tried, [0, 2, 5, 10, 19, 36, 69, 130, 191]);
        backoff.reset();
        assert!(backoff.due());
    }
}
