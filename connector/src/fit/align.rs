//! Columns by name: which column of what comes is which column of what is wanted.
//!
//! Invariant: no column that comes is left out unless it was said to be, and a value is either the same afterwards or
//! of a [wider](widens) type.

use super::{Accept, Misfit, column, encodes, widened};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{Field, Schema, SchemaRef};
use flinkspark_model::schema::{type_name, widens};
use std::collections::HashMap;
use std::sync::Arc;

/// Where a wanted column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// This column, perhaps in another encoding.
    Same(usize),
    /// This column, whose type is narrower.
    Widened(usize),
    /// None: it is null.
    Null,
}

/// Why a schema does not go into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// A wanted column that may not be null does not come.
    Missing(String),
    /// A column comes that is not wanted.
    Surplus(String),
    /// A column's type is neither the wanted one nor narrower: the wanted one, and what came.
    Type(String, String, String),
}

/// How rows of one schema become rows of another.
#[derive(Debug, Clone)]
pub(crate) struct Alignment {
    wanted: SchemaRef,
    given: SchemaRef,
    origins: Vec<Origin>,
}

impl Alignment {
    /// How `given` becomes `wanted`; all obstacles where it does not.
    pub(crate) fn new(wanted: &SchemaRef, given: &SchemaRef) -> Result<Self, Vec<Obstacle>> {
        let places: HashMap<&str, usize> = names(given).zip(0..).collect();
        let known: HashMap<&str, ()> = names(wanted).map(|name| (name, ())).collect();
        let mut obstacles = Vec::new();
        let mut origins = Vec::with_capacity(wanted.fields().len());
        for field in wanted.fields() {
            let place = places.get(field.name().as_str());
            match origin(field, place.map(|place| (*place, given.field(*place)))) {
                Ok(origin) => origins.push(origin),
                Err(obstacle) => obstacles.push(obstacle),
            }
        }
        let surplus = names(given).filter(|name| !known.contains_key(name));
        obstacles.extend(surplus.map(|name| Obstacle::Surplus(name.into())));
        match obstacles.is_empty() {
            true => Ok(Self {
                wanted: Arc::clone(wanted),
                given: Arc::clone(given),
                origins,
            }),
            false => Err(obstacles),
        }
    }

    /// The schema of what comes out.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.wanted
    }

    /// The columns that become wider: name, type that comes, and wanted type.
    pub(crate) fn widened(&self) -> impl Iterator<Item = (&str, String, String)> {
        self.pairs().filter_map(|(field, origin)| match origin {
            Origin::Widened(place) => Some((
                field.name().as_str(),
                type_name(self.given.field(place).data_type()),
                type_name(field.data_type()),
            )),
            Origin::Same(_) | Origin::Null => None,
        })
    }

    /// The columns that do not come.
    pub(crate) fn filled(&self) -> impl Iterator<Item = &str> {
        let nulls = self.pairs().filter(|(_, origin)| *origin == Origin::Null);
        nulls.map(|(field, _)| field.name().as_str())
    }

    fn pairs(&self) -> impl Iterator<Item = (&Field, Origin)> {
        let fields = self.wanted.fields().iter().map(AsRef::as_ref);
        fields.zip(self.origins.iter().copied())
    }

    /// The rows at the wanted schema.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, Misfit> {
        let rows = batch.num_rows();
        let one = |(field, origin): (&Field, Origin)| {
            let array = match origin {
                Origin::Same(place) => column(batch.column(place), field),
                Origin::Widened(place) => widened(batch.column(place), field),
                Origin::Null => Ok(new_null_array(field.data_type(), rows)),
            }?;
            check_nulls(&array, field).map(|()| array)
        };
        let columns = self.pairs().map(one).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let aligned =
            RecordBatch::try_new_with_options(Arc::clone(&self.wanted), columns, &options);
        aligned.map_err(|cause| Misfit {
            column: None,
            why: cause.to_string(),
        })
    }
}

fn names(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}

fn origin(wanted: &Field, given: Option<(usize, &Field)>) -> Result<Origin, Obstacle> {
    let name = wanted.name();
    let Some((place, given)) = given else {
        return match wanted.is_nullable() {
            true => Ok(Origin::Null),
            false => Err(Obstacle::Missing(name.clone())),
        };
    };
    let (to, from) = (wanted.data_type(), given.data_type());
    if encodes(to, from, Accept::Any) {
        Ok(Origin::Same(place))
    } else if widens(from, to) {
        Ok(Origin::Widened(place))
    } else {
        Err(Obstacle::Type(name.clone(), type_name(to), type_name(from)))
    }
}

fn check_nulls(array: &ArrayRef, field: &Field) -> Result<(), Misfit> {
    match field.is_nullable() || array.logical_null_count() == 0 {
        true => Ok(()),
        false => Err(Misfit {
            column: Some(field.name().clone()),
            why: "it has a null, which it may not hold".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Array, Int32Array, StringArray};
    use arrow_schema::DataType;

    fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
        let fields = fields
            .iter()
            .map(|(name, data_type, nullable)| Field::new(*name, data_type.clone(), *nullable));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    #[test]
    fn columns_are_found_by_name_widened_and_filled() {
        let wanted = schema(&[
            ("n", DataType::Int64, false),
            ("new", DataType::Utf8, true),
            ("t", DataType::Utf8, true),
        ]);
        let given = RecordBatch::try_from_iter([
            ("t", Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef),
            ("n", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
        ])
        .unwrap();
        let alignment = Alignment::new(&wanted, &given.schema()).unwrap();
        let aligned = alignment.apply(&given).unwrap();
        assert_eq!(aligned.schema(), wanted);
        assert_eq!(
            aligned.column(0).as_primitive::<Int64Type>().values(),
            &[1, 2]
        );
        assert_eq!(aligned.column(1).null_count(), 2);
        assert_eq!(aligned.column(2).as_string::<i32>().value(1), "b");
        assert_eq!(alignment.filled().collect::<Vec<_>>(), ["new"]);
        let widened: Vec<_> = alignment.widened().collect();
        assert_eq!(widened, [("n", "int32".to_owned(), "int64".to_owned())]);
    }

    #[test]
    fn everything_that_is_in_the_way_is_told_at_once() {
        let wanted = schema(&[
            ("n", DataType::Int32, false),
            ("needed", DataType::Utf8, false),
        ]);
        let given = schema(&[("more", DataType::Utf8, true), ("n", DataType::Int64, true)]);
        let obstacles = Alignment::new(&wanted, &given).unwrap_err();
        assert_eq!(
            obstacles,
            [
                Obstacle::Type("n".into(), "int32".into(), "int64".into()),
                Obstacle::Missing("needed".into()),
                Obstacle::Surplus("more".into()),
            ]
        );
    }

    #[test]
    fn a_null_is_refused_by_column_where_none_may_be() {
        let wanted = schema(&[("n", DataType::Int32, false)]);
        let nulls = Arc::new(Int32Array::from(vec![None])) as ArrayRef;
        let given = RecordBatch::try_from_iter([("n", nulls)]).unwrap();
        let misfit = Alignment::new(&wanted, &given.schema()).unwrap();
        let misfit = misfit.apply(&given).unwrap_err();
        assert_eq!(misfit.column.as_deref(), Some("n"));
    }
}
