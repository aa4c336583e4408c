//! The rules of each profile: a type walked down to its leaves, and what the caller chose to lose.
//!
//! What an engine has for a leaf is said by [`held`](mod@held). Invariant: a type comes out of here as the engine
//! spells it, or as an error that names the column.

use super::held::{self, Held};
use super::storage::retyped;
use super::{Lossy, Profile};
use crate::error::{Error, Kind, Result};
use crate::schema::{self, DEPTH_MAX, type_name};
use arrow_schema::{DataType, Field, FieldRef, Fields};
use std::collections::HashMap;
use std::sync::Arc;

/// The type that the peer gets for this one; what may be lost goes into `losses`.
pub(super) fn target(
    data_type: &DataType,
    path: &str,
    profile: Profile,
    lossy: Lossy,
    losses: &mut Vec<String>,
) -> Result<DataType> {
    let mut rule = Rule {
        profile,
        lossy,
        losses,
    };
    match profile {
        Profile::Generic => {
            rule.known(data_type, path, 0)?;
            Ok(data_type.clone())
        }
        Profile::Flink2 | Profile::Spark4 => rule.target(data_type, path, 0),
    }
}

/// Refuses names that are one to the peer: equal names, and to Spark names that differ in case.
pub(crate) fn distinct_names(fields: &Fields, path: &str, profile: Profile) -> Result<()> {
    if profile == Profile::Generic {
        return Ok(());
    }
    let mut seen = HashMap::new();
    for field in fields {
        let key = if profile == Profile::Spark4 {
            field.name().to_lowercase()
        } else {
            field.name().clone()
        };
        if let Some(first) = seen.insert(key, field.name()) {
            let (engine, second) = (profile.engine(), field.name());
            let message =
                format!("columns \"{path}{first}\" and \"{path}{second}\" are one to {engine}");
            return Err(Error::new(Kind::Invalid, "FS0122", message)
                .with_detail(format!(
                    "{engine} compares names {}",
                    match profile {
                        Profile::Spark4 => "without case",
                        _ => "exactly, and these are equal",
                    }
                ))
                .with_hint("rename one of them"));
        }
    }
    Ok(())
}

struct Rule<'a> {
    profile: Profile,
    lossy: Lossy,
    losses: &'a mut Vec<String>,
}

impl Rule<'_> {
    /// Generic: whatever a dataset holds.
    fn known(&self, data_type: &DataType, path: &str, depth: usize) -> Result<()> {
        if depth >= DEPTH_MAX {
            return Err(schema::too_deep(path));
        }
        match data_type {
            DataType::Union(..) => Err(schema::unsupported(path, data_type)),
            DataType::Dictionary(_, value) => self.known(value, path, depth + 1),
            other => children(other)
                .into_iter()
                .try_for_each(|child| self.known(child.data_type(), &join(path, child), depth + 1)),
        }
    }

    fn target(&mut self, data_type: &DataType, path: &str, depth: usize) -> Result<DataType> {
        use DataType as D;
        if depth >= DEPTH_MAX {
            return Err(schema::too_deep(path));
        }
        Ok(match data_type {
            D::List(item) | D::LargeList(item) | D::ListView(item) | D::LargeListView(item) => {
                D::List(self.item(item, path, depth)?)
            }
            D::FixedSizeList(item, _) => D::List(self.item(item, path, depth)?),
            D::Struct(fields) if fields.is_empty() && self.profile == Profile::Flink2 => {
                self.unheld(data_type, path, "")?
            }
            D::Struct(fields) => {
                distinct_names(fields, &format!("{path}."), self.profile)?;
                D::Struct(
                    fields
                        .iter()
                        .map(|field| self.child(field, path, depth))
                        .collect::<Result<_>>()?,
                )
            }
            D::Map(entries, _) => D::Map(self.entries(entries, path, depth)?, false),
            D::Dictionary(_, values) => self.target(values, path, depth + 1)?,
            D::RunEndEncoded(_, values) => self.target(values.data_type(), path, depth + 1)?,
            leaf => self.leaf(leaf, path)?,
        })
    }

    fn child(&mut self, child: &FieldRef, path: &str, depth: usize) -> Result<FieldRef> {
        let to = self.target(child.data_type(), &join(path, child), depth + 1)?;
        Ok(retyped(child, to).into())
    }

    /// A list's items, by the engine's name for them.
    fn item(&mut self, item: &FieldRef, path: &str, depth: usize) -> Result<FieldRef> {
        let item = self.child(item, path, depth)?;
        Ok(self.called(item, "element"))
    }

    /// A map's entries, by the engine's names for them and their parts.
    fn entries(&mut self, entries: &FieldRef, path: &str, depth: usize) -> Result<FieldRef> {
        let entries = self.child(entries, path, depth)?;
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(schema::unsupported(path, entries.data_type()));
        };
        let names = ["key", "value"].into_iter();
        let fields: Fields = fields
            .iter()
            .zip(names)
            .map(|(field, name)| self.called(Arc::clone(field), name))
            .collect();
        let entries = Field::clone(&entries).with_data_type(DataType::Struct(fields));
        Ok(self.called(entries.into(), "entries"))
    }

    /// The field by the name that Spark gives it; Flink goes by position.
    fn called(&self, field: FieldRef, name: &str) -> FieldRef {
        match self.profile {
            Profile::Spark4 if field.name() != name => Field::clone(&field).with_name(name).into(),
            _ => field,
        }
    }

    fn leaf(&mut self, from: &DataType, path: &str) -> Result<DataType> {
        match held::held(from, self.profile) {
            Held::Whole(to) => Ok(to),
            Held::Checked { to, finest } => match self.lossy {
                Lossy::Refuse => Ok(to),
                Lossy::Truncate => Ok(self.cut(to, path, finest)),
                Lossy::String => Ok(self.text(path)),
            },
            Held::Coarser {
                to,
                has,
                holds,
                what,
                unit,
            } => match self.lossy {
                Lossy::Truncate => Ok(self.cut(to, path, unit)),
                Lossy::String => Ok(self.text(path)),
                Lossy::Refuse => {
                    let engine = self.profile.engine();
                    let message =
                        format!("column \"{path}\" has precision {has}, {engine} holds {holds}");
                    let its = type_name(from);
                    Err(Error::new(Kind::Invalid, "FS0121", message)
                        .with_detail(format!("its type is {its}; {engine}'s {what} count {unit}"))
                        .with_hint(format!(
                            "cast it to {unit} before, or read with \"lossy\": \"truncate\" or \"string\""
                        )))
                }
            },
            Held::Nothing(why) => self.unheld(from, path, why),
        }
    }

    fn text(&mut self, path: &str) -> DataType {
        self.losses.push(format!("\"{path}\" becomes text"));
        DataType::Utf8
    }

    fn cut(&mut self, to: DataType, path: &str, unit: &str) -> DataType {
        self.losses.push(format!("\"{path}\" is cut to {unit}"));
        to
    }

    /// A type that the peer does not hold: text where that was allowed and is known to work.
    fn unheld(&mut self, from: &DataType, path: &str, why: &str) -> Result<DataType> {
        let (engine, printable) = (self.profile.engine(), is_printable(from));
        if self.lossy == Lossy::String && printable {
            return Ok(self.text(path));
        }
        Err(Error::new(
            Kind::Invalid,
            "FS0120",
            format!("column \"{path}\" has no {engine} equivalent"),
        )
        .with_detail(format!("its type is {}{why}", type_name(from)))
        .with_hint(match printable {
            true => "cast it to a type that both hold before, or read with \"lossy\": \"string\"",
            false => "cast it to a type that both hold, or leave the column out",
        }))
    }
}

/// Whether each value of a type that an engine has nothing for has a text of its own.
fn is_printable(data_type: &DataType) -> bool {
    data_type.is_decimal() || matches!(data_type, DataType::Interval(_))
}

fn children(data_type: &DataType) -> Vec<&Field> {
    use DataType as D;
    match data_type {
        D::List(item) | D::LargeList(item) | D::ListView(item) | D::LargeListView(item) => {
            vec![item]
        }
        D::FixedSizeList(item, _) => vec![item],
        D::Struct(fields) => fields.iter().map(AsRef::as_ref).collect(),
        D::Map(entries, _) => vec![entries],
        D::RunEndEncoded(_, values) => vec![values],
        _ => Vec::new(),
    }
}

fn join(path: &str, child: &Field) -> String {
    format!("{path}.{}", child.name())
}
