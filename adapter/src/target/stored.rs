//! Columns in the Arrow type in which a dataset holds them.
//!
//! Invariant: the column has that type, and the values that it had; what does not fit is an error.

use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::failed;
use crate::semantics::types::Root;
use arrow_array::{Array, ArrayRef, make_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, FieldRef};
use flinkspark_model::Result;
use flinkspark_model::schema::type_name;
use std::sync::Arc;

/// What is stored and in which type, where the expression stands for that and for nothing else.
pub(super) fn of(expr: &Expr) -> Option<(&Expr, &DataType)> {
    match (&expr.kind, &expr.ty.root) {
        (ExprKind::Cast(input), Root::Foreign(data_type)) => Some((input, data_type)),
        _ => None,
    }
}

/// The column in this type; `FS0805` where a value does not fit.
pub(super) fn stored(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    let name = type_name(data_type);
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let column = match type_name(array.data_type()) == name {
        true => named(array, data_type),
        false => cast_with_options(array, data_type, &options),
    };
    column.map_err(|error| {
        failed(format!("a value does not fit a column of {name}")).with_source(error)
    })
}

/// The same buffers under a type that differs only in the names inside of it.
fn named(array: &ArrayRef, data_type: &DataType) -> std::result::Result<ArrayRef, ArrowError> {
    if array.data_type() == data_type {
        return Ok(Arc::clone(array));
    }
    let fields: Vec<&FieldRef> = match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => vec![item],
        DataType::Struct(fields) => fields.iter().collect(),
        DataType::RunEndEncoded(ends, values) => vec![ends, values],
        _ => Vec::new(),
    };
    let data = array.to_data();
    let mut children = Vec::with_capacity(fields.len());
    for (child, field) in data.child_data().iter().zip(fields) {
        children.push(named(&make_array(child.clone()), field.data_type())?.to_data());
    }
    let builder = data.into_builder().data_type(data_type.clone());
    builder.child_data(children).build().map(make_array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::builder::{Int64Builder, MapBuilder, StringBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{Int64Array, ListArray, MapArray, StringArray};
    use arrow_schema::Field;

    fn list(item: &str, ty: DataType, nullable: bool) -> DataType {
        DataType::List(Arc::new(Field::new(item, ty, nullable)))
    }

    #[test]
    fn names_inside_of_a_type_change_and_values_do_not() {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        maps.keys().append_value("k");
        maps.values().append_null();
        maps.append(true).unwrap();
        maps.append(false).unwrap();
        let given: ArrayRef = Arc::new(maps.finish());
        let entries = DataType::Struct(
            vec![
                Field::new("key", DataType::Utf8, false),
                Field::new("value", DataType::Int64, true),
            ]
            .into(),
        );
        let wanted = DataType::Map(Arc::new(Field::new("entries", entries, false)), false);
        assert_ne!(given.data_type(), &wanted);
        let column = stored(&given.slice(0, 2), &wanted).unwrap();
        assert_eq!(column.data_type(), &wanted);
        assert_eq!((column.len(), column.null_count()), (2, 1));
        let maps = column.as_any().downcast_ref::<MapArray>().unwrap();
        assert_eq!(maps.value_length(0), 1);
    }

    #[test]
    fn layouts_change_and_what_does_not_fit_is_an_error() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("a")]));
        for ty in [
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        ] {
            let column = stored(&texts, &ty).unwrap();
            assert_eq!(column.data_type(), &ty);
            let back = stored(&column, &DataType::Utf8).unwrap();
            assert_eq!(&back, &texts, "{ty}");
        }
        let full: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1)]),
            None,
        ]));
        let wanted = list("item", DataType::Int32, false);
        assert_eq!(stored(&full, &wanted).unwrap().data_type(), &wanted);
        let holed: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([Some(
            vec![None],
        )]));
        assert_eq!(stored(&holed, &wanted).unwrap_err().code(), "FS0805");
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![1 << 40]));
        assert_eq!(
            stored(&wide, &DataType::Int32).unwrap_err().code(),
            "FS0805"
        );
    }
}
