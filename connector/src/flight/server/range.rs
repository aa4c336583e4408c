//! Which slots of a log a read is of.
//!
//! Invariant: a position that a reader stands at is never passed over and never silently means other rows: what has
//! expired, and what was overwritten behind it, is an error by name.

use crate::flight::body::{Changes, ReadCommand, Slots};
use flinkspark_model::log::View;
use flinkspark_model::position::{Position, SlotNo};
use flinkspark_model::split::Start;
use flinkspark_model::{Error, Kind, Result};

/// The rows of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    /// Where it begins.
    pub(super) start: Start,
    /// The slots that it is of; none where there is none.
    pub(super) slots: Option<Slots>,
}

/// The range that a command asks for.
///
/// Errors: `FS0417` where it lies outside the log, `FS0447` where the command contradicts itself, `FS0448` where no
/// epoch belongs to its checkpoint, `FS0449` where rows behind its positions were overwritten.
pub(super) fn of(command: &ReadCommand, dataset: &str, view: &View) -> Result<Range> {
    let oldest = Position::at_slot(view.horizon().saturating_add(1));
    let last = last(command, dataset, view)?;
    if let Some(slots) = command.slots {
        let start = Start::everywhere(Position::at_slot(slots.first));
        check(slots, dataset, view)?;
        return Ok(Range {
            start,
            slots: Some(slots),
        });
    }
    let Some(from) = &command.from else {
        let first = oldest.slot;
        let slots = (first <= last).then_some(Slots { first, last });
        return Ok(Range {
            start: Start::everywhere(oldest),
            slots,
        });
    };
    let start = from.start(oldest)?;
    let given = start.positions().filter(|position| *position != oldest);
    for position in given {
        check_position(position, last, dataset, view)?;
        check_changes(position, last, command, dataset, view)?;
    }
    let first = start.positions().map(|position| position.slot).min();
    let first = first.unwrap_or(oldest.slot).max(1);
    Ok(Range {
        start,
        slots: (first <= last).then_some(Slots { first, last }),
    })
}

/// The last slot, said in one of the ways in which it can be.
fn last(command: &ReadCommand, dataset: &str, view: &View) -> Result<SlotNo> {
    let ways = [
        ("slots", command.slots.is_some()),
        ("through", command.through.is_some()),
        ("at_slot", command.at_slot.is_some()),
        ("at_checkpoint", command.at_checkpoint.is_some()),
    ];
    let said: Vec<&str> = ways.iter().filter(|way| way.1).map(|way| way.0).collect();
    if let [one, other, ..] = said.as_slice() {
        return Err(contradiction(
            dataset,
            &format!("both \"{one}\" and \"{other}\" say the last slot"),
        ));
    }
    if command.slots.is_some() && command.from.is_some() {
        return Err(contradiction(
            dataset,
            "both \"slots\" and \"from\" say where it begins",
        ));
    }
    if command.follow && !said.is_empty() {
        return Err(contradiction(dataset, "what is followed has no last slot"));
    }
    if command.follow && (command.limit.is_some() || command.splits.is_some()) {
        return Err(contradiction(
            dataset,
            "what is followed has one endpoint for each partition and no limit",
        ));
    }
    let named = command.through.or(command.at_slot);
    let slot = match (&command.at_checkpoint, named) {
        (Some(checkpoint_ref), _) => view
            .slot_of_checkpoint(checkpoint_ref)
            .ok_or_else(|| no_checkpoint(checkpoint_ref, dataset))?,
        (None, Some(slot)) => slot,
        (None, None) => return Ok(view.head()),
    };
    let first = view.horizon().saturating_add(1).min(slot.max(1));
    check(Slots { first, last: slot }, dataset, view)?;
    Ok(slot)
}

fn contradiction(dataset: &str, why: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0447",
        "the range that was asked for cannot be read",
    )
    .with_detail(format!("{why} (dataset {dataset})"))
    .with_hint("give \"from\" and one of \"through\", \"at_slot\" and \"at_checkpoint\", or \"slots\" alone")
}

fn no_checkpoint(checkpoint_ref: &str, dataset: &str) -> Error {
    let shown: String = checkpoint_ref.chars().take(80).collect();
    Error::new(
        Kind::Invalid,
        "FS0448",
        format!(
            "no epoch belongs to the checkpoint \"{}\"",
            shown.escape_debug()
        ),
    )
    .with_detail(format!("dataset {dataset}"))
    .with_hint(format!(
        "`flinkspark dataset epochs {dataset}` prints the checkpoints"
    ))
}

fn refuse(kind: Kind, asked: Slots, dataset: &str, why: String) -> Error {
    Error::new(
        kind,
        "FS0417",
        format!("slots {} to {} cannot be read", asked.first, asked.last),
    )
    .with_detail(format!("{why} (dataset {dataset})"))
    .with_hint(format!(
        "`flinkspark dataset epochs {dataset}` prints the slots that can"
    ))
}

fn check(asked: Slots, dataset: &str, view: &View) -> Result<()> {
    let (head, horizon) = (view.head(), view.horizon());
    let (kind, why) = match asked {
        Slots { first, last } if first == 0 || first > last => (
            Kind::Invalid,
            "the first slot is 1, and the last is not below the first".into(),
        ),
        Slots { last, .. } if last > head => {
            (Kind::Invalid, format!("the last slot of the log is {head}"))
        }
        Slots { first, .. } if first <= horizon => {
            (Kind::Data, format!("slots up to {horizon} have expired"))
        }
        Slots { .. } => return Ok(()),
    };
    Err(refuse(kind, asked, dataset, why))
}

/// A position is at most at the slot after the last.
fn check_position(position: Position, last: SlotNo, dataset: &str, view: &View) -> Result<()> {
    let horizon = view.horizon();
    let asked = Slots {
        first: position.slot,
        last,
    };
    if horizon > 0 && position.slot <= horizon {
        let why = format!("slots up to {horizon} have expired");
        return Err(refuse(Kind::Data, asked, dataset, why));
    }
    if position > Position::at_slot(last.saturating_add(1)) {
        let why = format!("position {position} lies behind slot {last}, the last of the read");
        return Err(refuse(Kind::Invalid, asked, dataset, why));
    }
    Ok(())
}

/// Refuses to go on over an overwrite of what a reader has behind it, unless it says that it knows.
pub(super) fn check_changes(
    position: Position,
    last: SlotNo,
    command: &ReadCommand,
    dataset: &str,
    view: &View,
) -> Result<()> {
    if command.changes == Some(Changes::Allow) {
        return Ok(());
    }
    match view.overwrites_behind(position, last).next() {
        None => Ok(()),
        Some((at, epoch)) => Err(overwritten(position, at, epoch.slot, dataset)),
    }
}

/// Rows that a reader has read are not part of the dataset any more.
pub(super) fn overwritten(position: Position, at: SlotNo, slot: SlotNo, dataset: &str) -> Error {
    Error::new(
        Kind::Conflict,
        "FS0449",
        format!("rows before position {position} were overwritten"),
    )
    .with_detail(format!(
        "slot {at} took out rows of slot {slot}, which a reader at that position has (dataset {dataset})"
    ))
    .with_hint(format!(
        "read the dataset whole and go on from slot {}, or pass \"changes\": \"allow\" and drop what was overwritten",
        at.saturating_add(1)
    ))
}
