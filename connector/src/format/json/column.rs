//! Columns that are built from rows: leaves, and structs, lists and maps around them.
//!
//! Invariant: every column of a struct has as many values as the struct has rows, whichever keys its objects had, and
//! what a row adds is bounded by its length and [`FILL_BYTES_MAX`], whatever the schema.

mod lists;
mod maps;
mod structs;

use super::leaf::{Leaf, Reading};
use super::tokens::{Token, Tokens};
use super::wrong::{What, Wrong, shown};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, FieldRef, SchemaRef};
use flinkspark_model::schema::type_name;
use lists::Lists;
use maps::Maps;
use std::sync::Arc;
use structs::Structs;

/// What a row may add for values that are not in it, in bytes.
const FILL_BYTES_MAX: usize = 64 << 20;
/// What a null adds to a leaf, in bytes, at most.
const LEAF_BYTES: usize = 32;

/// The columns of a batch under construction.
pub(super) struct Table {
    schema: SchemaRef,
    columns: Structs,
}

impl Table {
    /// Columns of the schema; the type that JSON has no text for, and its column, where there is one.
    pub(super) fn new(schema: &SchemaRef, reading: &Reading) -> Result<Self, (String, DataType)> {
        for field in schema.fields() {
            let column = Column::new(field, reading);
            column.map_err(|data_type| (field.name().clone(), data_type))?;
        }
        let columns = Structs::new(schema.fields(), reading);
        Ok(Self {
            schema: Arc::clone(schema),
            columns: columns.map_err(|data_type| (String::new(), data_type))?,
        })
    }

    /// The same, for rows that may have keys which the schema lacks.
    pub(super) fn skipping(mut self) -> Self {
        self.columns.skip_unknown();
        self
    }

    /// Appends the row; what it adds, in bytes.
    pub(super) fn read(&mut self, text: &str) -> Result<usize, Wrong> {
        let tokens = Tokens::new(text);
        let mut row = Row { tokens, filled: 0 };
        let at = row.tokens.at();
        match row.tokens.value()? {
            Token::Object => self.columns.read(&mut row)?,
            _ => return Err(Wrong::broken(at, "a row is an object")),
        }
        row.tokens.end()?;
        Ok(text.len() + row.filled)
    }

    /// The rows so far; the next batch begins empty.
    pub(super) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = self.columns.finish(self.schema.fields())?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let columns = rows.as_struct().columns().to_vec();
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }

    /// Shows each column that took other numbers than stood there: its path, its type and how many.
    pub(super) fn rounded(&self, show: &mut dyn FnMut(&str, &DataType, u64)) {
        for column in self.columns.columns() {
            column.rounded(column.field.name(), show);
        }
    }
}

/// A row, and what was added for values that are not in it.
struct Row<'a> {
    tokens: Tokens<'a>,
    filled: usize,
}

struct Column {
    field: FieldRef,
    /// What a null adds to it, in bytes.
    null_bytes: usize,
    kind: Kind,
}

enum Kind {
    Leaf(Leaf),
    Struct(Structs),
    List(Box<Lists>),
    Map(Box<Maps>),
}

impl Column {
    fn new(field: &FieldRef, reading: &Reading) -> Result<Self, DataType> {
        use DataType as D;
        let none = || field.data_type().clone();
        let kind = match field.data_type() {
            D::Struct(fields) => Kind::Struct(Structs::new(fields, reading)?),
            D::List(item) | D::LargeList(item) => {
                Kind::List(Box::new(Lists::new(item, None, reading)?))
            }
            D::FixedSizeList(item, length) => {
                let length = usize::try_from(*length).map_err(|_| none())?;
                Kind::List(Box::new(Lists::new(item, Some(length), reading)?))
            }
            D::Map(entries, _) => Kind::Map(Box::new(Maps::new(entries, reading)?)),
            data_type => Kind::Leaf(Leaf::new(data_type, reading).ok_or_else(none)?),
        };
        let beneath = match (&kind, field.data_type()) {
            (Kind::Struct(structs), _) => structs.null_bytes(),
            (Kind::List(lists), _) => lists.null_bytes(),
            (_, D::FixedSizeBinary(length)) => usize::try_from(*length).unwrap_or_default(),
            _ => 0,
        };
        Ok(Self {
            field: Arc::clone(field),
            null_bytes: beneath.saturating_add(LEAF_BYTES),
            kind,
        })
    }

    fn is_nullable(&self) -> bool {
        self.field.is_nullable() || self.field.data_type() == &DataType::Null
    }

    /// Appends the value that is next in the row.
    fn read(&mut self, row: &mut Row<'_>) -> Result<(), Wrong> {
        let at = row.tokens.at();
        let token = row.tokens.value()?;
        let nullable = self.is_nullable();
        match (&mut self.kind, &token) {
            (_, Token::Null) if nullable => self.fill(at, row),
            (Kind::Struct(structs), Token::Object) => structs.read(row),
            (Kind::List(lists), Token::List) => lists.read(at, row),
            (Kind::Map(maps), Token::Object) => maps.read(row),
            (_, Token::Null) => Err(Wrong::new(at, What::Null)),
            (kind, token) => {
                if let Kind::Leaf(leaf) = kind
                    && leaf.push(token, row.tokens.since(at))
                {
                    return Ok(());
                }
                let found = match token {
                    Token::Object => "an object".to_owned(),
                    Token::List => "an array".to_owned(),
                    Token::Text(text) => format!("\"{}\"", shown(text)),
                    _ => shown(row.tokens.since(at)).to_string(),
                };
                let wanted = type_name(self.field.data_type());
                Err(Wrong::new(at, What::Misfit { found, wanted }))
            }
        }
    }

    /// Appends nothing for a row that has nothing for the column.
    fn fill(&mut self, at: usize, row: &mut Row<'_>) -> Result<(), Wrong> {
        row.filled = row.filled.saturating_add(self.null_bytes);
        if row.filled > FILL_BYTES_MAX {
            let why = format!("the row's nulls take more than {FILL_BYTES_MAX} bytes");
            return Err(Wrong::broken(at, why));
        }
        self.push_null();
        Ok(())
    }

    fn push_null(&mut self) {
        match &mut self.kind {
            Kind::Leaf(leaf) => leaf.push_null(),
            Kind::Struct(structs) => structs.push_null(),
            Kind::List(lists) => lists.push_null(),
            Kind::Map(maps) => maps.push_null(),
        }
    }

    /// The column so far; the next one begins empty.
    fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        match (&mut self.kind, self.field.data_type()) {
            (Kind::Leaf(leaf), _) => Ok(leaf.finish()),
            (Kind::Struct(structs), DataType::Struct(fields)) => structs.finish(fields),
            (Kind::List(lists), DataType::List(item)) => lists.finish::<i32>(item),
            (Kind::List(lists), DataType::LargeList(item)) => lists.finish::<i64>(item),
            (Kind::List(lists), DataType::FixedSizeList(item, length)) => {
                lists.finish_fixed(item, *length)
            }
            (Kind::Map(maps), DataType::Map(entries, sorted)) => maps.finish(entries, *sorted),
            (_, other) => Err(ArrowError::SchemaError(type_name(other))),
        }
    }

    fn rounded(&self, path: &str, show: &mut dyn FnMut(&str, &DataType, u64)) {
        match &self.kind {
            Kind::Leaf(leaf) if leaf.rounded() > 0 => {
                show(path, self.field.data_type(), leaf.rounded());
            }
            Kind::Leaf(_) => {}
            Kind::Struct(structs) => {
                for column in structs.columns() {
                    column.rounded(&format!("{path}.{}", column.field.name()), show);
                }
            }
            Kind::List(lists) => lists.items().rounded(&format!("{path}[]"), show),
            Kind::Map(maps) => maps.values().rounded(&format!("{path}[]"), show),
        }
    }
}
