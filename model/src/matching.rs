//! Which column of rows that come is which column of a dataset, by name.
//!
//! Pure; it never sees a value. A column is found by its name, without case where the writer's engine goes without it;
//! one that may be null and does not come is null; a type may be one whose every value the wanted one has. Within
//! lists and maps nothing is filled: what it takes there is not known before it is made. Invariant: what is matched loses no
//! value, no column that comes is left out, and no two columns feed one.

use crate::error::{Error, Kind, Result};
use crate::profile::{self, Profile};
use crate::schema::{type_name, widens};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use std::collections::HashMap;

/// The longest text of what is in the way, in bytes: an error travels in headers.
const DETAIL_BYTES_MAX: usize = 2_048;

/// The longest text of one of them, in characters: names that come are of any length.
const REASON_CHARS_MAX: usize = 256;

/// How the columns of rows are matched with those of a dataset.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// By name, order and type.
    #[default]
    Exact,
    /// By name alone.
    Name,
}

/// Where a wanted column, or a field of a struct, comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From the column at this place of those that come.
    Column(usize, Way),
    /// From none: it is null.
    Null,
}

/// How a column becomes the wanted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It has the type, perhaps with other offsets or as a view.
    Same,
    /// Each value is one of the wanted type; numbers of a coarser unit may lie outside of it.
    Widened,
    /// A struct, field by field.
    Struct(Vec<Origin>),
    /// A list of whatever kind, by its items.
    Items(Box<Way>),
    /// A map, by its keys and its values.
    Entries(Box<[Way; 2]>),
}

impl Way {
    /// Whether values within a list or a map become wider.
    pub fn widens_items(&self) -> bool {
        match self {
            Self::Same | Self::Widened => false,
            Self::Items(item) => item.widens(),
            Self::Entries(parts) => parts.iter().any(Self::widens),
            Self::Struct(fields) => fields.iter().any(|origin| match origin {
                Origin::Column(_, way) => way.widens_items(),
                Origin::Null => false,
            }),
        }
    }

    fn widens(&self) -> bool {
        match self {
            Self::Widened => true,
            Self::Struct(fields) => fields.iter().any(|origin| match origin {
                Origin::Column(_, way) => way.widens(),
                Origin::Null => false,
            }),
            other => other.widens_items(),
        }
    }
}

/// Where each column of `wanted` comes from, one after the other; `wanted` has plain columns.
///
/// Errors: `FS0122` where two names are one to the profile's engine, `FS0408` with everything that is in the way.
pub fn by_name(wanted: &Schema, given: &Schema, profile: Profile) -> Result<Vec<Origin>> {
    let mut matching = Matching {
        profile,
        obstacles: Vec::new(),
    };
    let origins = matching.fields(wanted.fields(), given.fields(), "", true)?;
    if matching.obstacles.is_empty() {
        return Ok(origins);
    }
    let message = "the columns do not become the dataset's by name";
    Err(Error::new(Kind::Invalid, "FS0408", message).with_detail(told(&matching.obstacles)))
}

/// What is in the way, as much of it as an error carries.
fn told(obstacles: &[String]) -> String {
    let mut told = String::new();
    for (index, why) in obstacles.iter().enumerate() {
        if told.len() + why.len() > DETAIL_BYTES_MAX && index > 0 {
            return format!("{told}; and {} more", obstacles.len() - index);
        }
        let separator = if index == 0 { "" } else { "; " };
        told.push_str(separator);
        told.extend(why.chars().take(REASON_CHARS_MAX));
    }
    told
}

struct Matching {
    profile: Profile,
    obstacles: Vec<String>,
}

impl Matching {
    fn fields(
        &mut self,
        wanted: &Fields,
        given: &Fields,
        path: &str,
        fills: bool,
    ) -> Result<Vec<Origin>> {
        for fields in [wanted, given] {
            profile::distinct_names(fields, path, self.profile)?;
        }
        let mut places: HashMap<String, usize> =
            given.iter().map(|field| self.key(field)).zip(0..).collect();
        let mut origins = Vec::with_capacity(wanted.len());
        for field in wanted {
            let origin = match places.remove(&self.key(field)) {
                Some(place) => {
                    let way = self.way(field, &given[place], path, fills)?;
                    Origin::Column(place, way)
                }
                None => {
                    self.fill(field, path, fills);
                    Origin::Null
                }
            };
            origins.push(origin);
        }
        let mut surplus: Vec<usize> = places.into_values().collect();
        surplus.sort_unstable();
        for place in surplus {
            let name = given[place].name().escape_debug();
            let why = format!("column \"{path}{name}\" is not in the dataset");
            self.obstacles.push(why);
        }
        Ok(origins)
    }

    fn key(&self, field: &FieldRef) -> String {
        match self.profile {
            Profile::Spark4 => field.name().to_lowercase(),
            Profile::Flink2 | Profile::Generic => field.name().clone(),
        }
    }

    fn fill(&mut self, field: &Field, path: &str, fills: bool) {
        let name = field.name();
        if !field.is_nullable() {
            let why = format!("column \"{path}{name}\" is missing and may not be null");
            self.obstacles.push(why);
        } else if !fills {
            let why = format!("column \"{path}{name}\" is missing within a list or a map");
            self.obstacles.push(why);
        }
    }

    fn way(&mut self, wanted: &Field, given: &Field, path: &str, fills: bool) -> Result<Way> {
        use DataType as D;
        let path = format!("{path}{}", wanted.name());
        let (to, from) = (wanted.data_type(), given.data_type());
        if from == &D::Null && fills && wanted.is_nullable() {
            return Ok(Way::Widened);
        }
        if let (Some(to), Some(from)) = (items(to), items(from)) {
            return Ok(Way::Items(
                self.way(to, from, &format!("{path}."), false)?.into(),
            ));
        }
        match (to, from) {
            (D::FixedSizeList(to, length), D::FixedSizeList(from, came)) if length == came => {
                let item = self.way(to, from, &format!("{path}."), false)?;
                Ok(Way::Items(item.into()))
            }
            (D::Struct(to), D::Struct(from)) => Ok(Way::Struct(self.fields(
                to,
                from,
                &format!("{path}."),
                fills,
            )?)),
            (D::Map(to, _), D::Map(from, _)) => match (entries(to), entries(from)) {
                (Some([key, value]), Some([k, v])) => {
                    let path = format!("{path}.");
                    let key = self.way(key, k, &path, false)?;
                    Ok(Way::Entries(
                        [key, self.way(value, v, &path, false)?].into(),
                    ))
                }
                _ => Ok(self.other(&path, to_name(wanted), to_name(given))),
            },
            (to, from) if same(to, from) => Ok(Way::Same),
            (to, from) if holds(to, from) => Ok(Way::Widened),
            _ => Ok(self.other(&path, to_name(wanted), to_name(given))),
        }
    }

    fn other(&mut self, path: &str, wanted: String, came: String) -> Way {
        let why = format!("column \"{path}\" is {wanted}, and {came} came");
        self.obstacles.push(why);
        Way::Same
    }
}

fn to_name(field: &Field) -> String {
    type_name(field.data_type())
}

fn items(data_type: &DataType) -> Option<&FieldRef> {
    use DataType as D;
    match data_type {
        D::List(item) | D::LargeList(item) | D::ListView(item) | D::LargeListView(item) => {
            Some(item)
        }
        _ => None,
    }
}

fn entries(entries: &Field) -> Option<[&FieldRef; 2]> {
    match entries.data_type() {
        DataType::Struct(fields) => match fields.as_ref() {
            [key, value] => Some([key, value]),
            _ => None,
        },
        _ => None,
    }
}

/// Whether two types without children have the same values in the same form, offsets and views aside.
fn same(to: &DataType, from: &DataType) -> bool {
    use DataType as D;
    let text = |of: &DataType| matches!(of, D::Utf8 | D::LargeUtf8 | D::Utf8View);
    let binary = |of: &DataType| matches!(of, D::Binary | D::LargeBinary | D::BinaryView);
    to == from || (text(to) && text(from)) || (binary(to) && binary(from))
}

/// Whether each value of one type is a value of the other, whatever the unit or the zone counts it in.
fn holds(to: &DataType, from: &DataType) -> bool {
    use DataType as D;
    match (to, from) {
        (D::Timestamp(to, zone), D::Timestamp(from, came)) => {
            zone.is_some() == came.is_some() && finer(*to) >= finer(*from)
        }
        (D::Time32(to) | D::Time64(to), D::Time32(from) | D::Time64(from))
        | (D::Duration(to), D::Duration(from)) => finer(*to) >= finer(*from),
        (D::Date64, D::Date32) => true,
        (D::Binary | D::LargeBinary, D::FixedSizeBinary(_)) => true,
        _ => widens(from, to) || decimals(to, from),
    }
}

/// Whether two decimal types have the same digits in another width.
fn decimals(to: &DataType, from: &DataType) -> bool {
    use DataType as D;
    let digits = |of: &DataType| match of {
        D::Decimal32(digits, scale)
        | D::Decimal64(digits, scale)
        | D::Decimal128(digits, scale)
        | D::Decimal256(digits, scale) => Some((*digits, *scale)),
        _ => None,
    };
    digits(to).is_some() && digits(to) == digits(from)
}

fn finer(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

#[cfg(test)]
mod tests;
