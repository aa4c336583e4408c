//! Kills servers at each step of the protocol and at random moments, and clients too.
//!
//! A campaign is one job that is killed until its share of kills is spent, then finishes; its
//! output must have the digest of a run that never failed. Invariant: a step that was asked for
//! and not reached does not count as a kill at that step.

mod campaign;

use crate::Step;
use crate::random::Random;
use crate::server::{Server, load};
use campaign::Campaign;
use flinkspark_bridge::parts::model::fault;
use std::collections::BTreeMap;
use std::path::Path;

/// Kills in one campaign, at most.
const CAMPAIGN_KILLS: u64 = 12;

/// After so many milliseconds a job has taken checkpoints.
const RECOVERABLE_MS: u64 = 600;

/// Campaigns beyond those that the count needs, for steps that were not reached at first.
const CAMPAIGNS_MORE: u64 = 10;

/// How much to kill, and by which seed.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Kills in all.
    pub count: u64,
    /// Decides the order of steps and every random moment.
    pub seed: u64,
}

/// What a kill aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Aim {
    /// A named step, when it is reached for this many times.
    Step(&'static str, u64),
    /// A moment, this many milliseconds after the server is ready.
    Moment(u64),
    /// The client, between its submission and the reply.
    Client,
}

/// Runs the plan; prints kills per step.
pub fn run(plan: Plan) -> Step {
    let mut random = Random::new(plan.seed);
    let mut aims = aims(plan.count, &mut random);
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let reference = reference(&data)?;
    println!("seed {}: the unfailed run has {reference}", plan.seed);
    let mut kills: BTreeMap<String, u64> = fault::POINTS
        .iter()
        .map(|step| ((*step).into(), 0))
        .collect();
    let mut number = 0;
    while !aims.is_empty() {
        number += 1;
        if number > plan.count.div_ceil(CAMPAIGN_KILLS) + CAMPAIGNS_MORE {
            return Err(format!("steps that are never reached: {aims:?}").into());
        }
        let campaign = Campaign {
            number,
            data: &data,
            aims: campaign_aims(&mut aims),
        };
        let (done, missed) = campaign.run(&reference, &mut kills)?;
        println!("campaign {number}: {done} kills, digest identical");
        aims.extend(missed);
    }
    for (step, count) in &kills {
        println!("{count:5}  {step}");
    }
    let total: u64 = kills.values().sum();
    println!("{total} kills: lost 0, doubled 0");
    match kills.iter().find(|(_, count)| **count == 0) {
        Some((step, _)) if plan.count >= fault::POINTS.len() as u64 => {
            Err(format!("no kill at {step}").into())
        }
        _ => Ok(()),
    }
}

/// Takes the aims of one campaign: a job is submitted once, so at most one aims at its submission,
/// first of all; a kill at some moment follows, so that the rest has something to recover.
fn campaign_aims(aims: &mut Vec<Aim>) -> Vec<Aim> {
    let is_submission =
        |aim: &Aim| matches!(aim, Aim::Step(step, _) if step.starts_with("job.submit"));
    let submission = aims.iter().position(is_submission);
    let mut taken: Vec<Aim> = submission
        .map(|index| aims.remove(index))
        .into_iter()
        .collect();
    taken.push(Aim::Moment(RECOVERABLE_MS));
    let (mut rest, mut later) = (Vec::new(), Vec::new());
    for aim in aims.drain(..) {
        let full = rest.len() as u64 >= CAMPAIGN_KILLS;
        if full || is_submission(&aim) {
            later.push(aim)
        } else {
            rest.push(aim)
        }
    }
    *aims = later;
    taken.append(&mut rest);
    taken
}

/// One kill at each step, the rest at steps, moments and clients by the seed; the order is random.
fn aims(count: u64, random: &mut Random) -> Vec<Aim> {
    let mut aims: Vec<Aim> = fault::POINTS
        .iter()
        .map(|step| Aim::Step(step, 1 + random.below(3)))
        .collect();
    random.shuffle(&mut aims);
    aims.truncate(count as usize);
    while (aims.len() as u64) < count {
        aims.push(match random.below(8) {
            0..4 => Aim::Moment(200 + random.below(1800)),
            4 => Aim::Client,
            _ => {
                let step = fault::POINTS
                    .get(random.below(fault::POINTS.len() as u64) as usize)
                    .copied()
                    .unwrap_or("log.create.done");
                Aim::Step(step, 1 + random.below(6))
            }
        });
    }
    random.shuffle(&mut aims);
    aims
}

/// The digest of a run that is never killed.
fn reference(data: &Path) -> Step<String> {
    let server = Server::start(data)?;
    load(&server, "24h")?;
    let job = crate::path("jobs/hourly_departures.sql");
    server.must(&[
        "job",
        "run",
        job.to_str().ok_or("the path is text")?,
        "--on",
        "stream",
        "--id",
        "unfailed",
    ])?;
    let digest = campaign::digest(&server, "hourly_departures")?;
    server.terminate(std::time::Duration::from_secs(30))?;
    Ok(digest)
}
