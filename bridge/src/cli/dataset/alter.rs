//! `flinkspark dataset rename` and `alter`: changes of a dataset's record, one at a time.
//!
//! Invariant: each change is made to the version that was read, so that nobody else's is lost.

use super::describe::describe;
use crate::cli::args::{AlterArgs, Ends, Format, Precision};
use crate::cli::render;
use crate::client::{Client, answer, look_up};
use flinkspark_model::dataset::{Boundedness, Dataset, TimeAttribute, TimePrecision, Traits};
use flinkspark_model::handle::Handle;
use flinkspark_model::port::{Change, Update};
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1;

/// Makes one change and prints the dataset.
pub(super) async fn update(
    client: &mut Client,
    output: Format,
    reference: &str,
    update: Update,
) -> Result<()> {
    let found = look_up(client, reference).await?;
    let found = found.dataset.unwrap_or_default();
    let request = v1::UpdateRequest::new(found.id.parse()?, found.version, &update)?;
    answer(client.catalog.update(request).await)?;
    let view = look_up(client, &found.id).await?;
    render::object(output, &describe(view)?)
}

/// Changes handles and traits, as far as they are given.
pub(super) async fn alter(client: &mut Client, output: Format, args: AlterArgs) -> Result<()> {
    let found = look_up(client, &args.reference).await?;
    let dataset = Dataset::try_from(found.dataset.unwrap_or_default())?;
    let changes = changes(&args, &dataset.traits)?;
    if changes.is_empty() {
        return Err(
            Error::new(Kind::Invalid, "FS0002", "nothing is to be altered")
                .with_hint("pass what is to be changed; --help lists it"),
        );
    }
    let mut version = dataset.version;
    for change in changes {
        let request = v1::UpdateRequest::new(dataset.id, version, &Update::Record(change))?;
        version = answer(client.catalog.update(request).await)?.version;
    }
    let view = look_up(client, &dataset.id.to_string()).await?;
    render::object(output, &describe(view)?)
}

fn changes(args: &AlterArgs, before: &Traits) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    let flink = args
        .traits
        .flink
        .as_deref()
        .map(Handle::flink_table)
        .transpose()?;
    let spark = args
        .traits
        .spark
        .as_deref()
        .map(Handle::spark_table)
        .transpose()?;
    changes.extend(flink.into_iter().chain(spark).map(Change::SetHandle));
    let mut traits = before.clone();
    if !args.traits.primary_key.is_empty() {
        traits.primary_key.clone_from(&args.traits.primary_key);
    }
    let time = args.traits.time_attribute.clone();
    if let Some((column, watermark_delay_ms)) = time.zip(args.traits.watermark_delay) {
        traits.time = Some(TimeAttribute {
            column,
            watermark_delay_ms,
            precision: TimePrecision::from(args.traits.time_precision),
        });
    }
    match args.ends {
        Some(Ends::Bounded) => traits.boundedness = Boundedness::Bounded,
        Some(Ends::Unbounded) => traits.boundedness = Boundedness::Unbounded,
        None => {}
    }
    if traits != *before {
        changes.push(Change::Traits(traits));
    }
    Ok(changes)
}

impl From<Precision> for TimePrecision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Exact => Self::Exact,
            Precision::Floor => Self::Floor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::TraitArgs;

    #[test]
    fn only_what_is_given_is_changed() -> Result<()> {
        let none = AlterArgs {
            reference: "t".into(),
            traits: TraitArgs {
                flink: None,
                spark: None,
                primary_key: Vec::new(),
                time_attribute: None,
                watermark_delay: None,
                time_precision: Precision::Exact,
            },
            ends: None,
        };
        let before = Traits {
            primary_key: vec!["id".into()],
            ..Traits::default()
        };
        assert_eq!(changes(&none, &before)?, []);
        let ends = AlterArgs {
            ends: Some(Ends::Unbounded),
            ..none
        };
        let expected = Traits {
            boundedness: Boundedness::Unbounded,
            ..before.clone()
        };
        assert_eq!(changes(&ends, &before)?, [Change::Traits(expected)]);
        Ok(())
    }
}
