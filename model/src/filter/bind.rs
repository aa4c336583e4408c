//! Finds a filter's columns and types its literals, or names the term that does not fit.
//!
//! Pure. Invariant: what is bound keeps every limit of the grammar.

use super::bound::{Bound, Node, Operator, Term, Test};
use super::literal;
use super::value::{Class, Value, class_of};
use super::{
    Among, Comparison, FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_LITERALS_MAX, FILTER_TERMS_MAX,
    Filter,
};
use crate::error::{Error, Kind, Result};
use crate::schema::type_name;
use arrow_schema::Schema;

impl Filter {
    /// Finds the columns and types the literals. Conditions that are joined by AND at the top are parted.
    ///
    /// Errors: `FS0460` beyond a limit, `FS0461` without such a column, `FS0462` where a literal is not of the
    /// column's type, `FS0463` where the column has no order, `FS0464` for an empty list. Each names the term.
    pub fn bind(&self, schema: &Schema) -> Result<Bound> {
        let bytes = serde_json::to_string(self).map_or(usize::MAX, |json| json.len());
        if bytes > FILTER_BYTES_MAX {
            return Err(beyond(format!(
                "it has {bytes} bytes as JSON; the limit is {FILTER_BYTES_MAX}"
            )));
        }
        let mut binder = Binder {
            schema,
            terms: 0,
            literals: 0,
        };
        let mut conjuncts = Vec::new();
        binder.conjuncts(self, "filter", 1, &mut conjuncts)?;
        Ok(Bound { conjuncts })
    }
}

struct Binder<'a> {
    schema: &'a Schema,
    terms: usize,
    literals: usize,
}

impl Binder<'_> {
    fn conjuncts(
        &mut self,
        filter: &Filter,
        path: &str,
        depth: usize,
        into: &mut Vec<(Filter, Node)>,
    ) -> Result<()> {
        let Filter::And(parts) = filter else {
            into.push((filter.clone(), self.node(filter, path, depth)?));
            return Ok(());
        };
        self.enter(parts, path, depth)?;
        for (index, part) in parts.iter().enumerate() {
            self.conjuncts(part, &format!("{path}.and[{index}]"), depth + 1, into)?;
        }
        Ok(())
    }

    fn enter(&self, parts: &[Filter], path: &str, depth: usize) -> Result<()> {
        if parts.is_empty() {
            return Err(empty(path));
        }
        check_depth(depth)
    }

    fn nodes(
        &mut self,
        parts: &[Filter],
        path: &str,
        name: &str,
        depth: usize,
    ) -> Result<Vec<Node>> {
        self.enter(parts, path, depth)?;
        let nodes = parts.iter().enumerate();
        nodes
            .map(|(index, part)| self.node(part, &format!("{path}.{name}[{index}]"), depth + 1))
            .collect()
    }

    fn node(&mut self, filter: &Filter, path: &str, depth: usize) -> Result<Node> {
        use Operator as O;
        Ok(match filter {
            Filter::And(parts) => Node::And(self.nodes(parts, path, "and", depth)?),
            Filter::Or(parts) => Node::Or(self.nodes(parts, path, "or", depth)?),
            Filter::Not(part) => {
                check_depth(depth)?;
                Node::Not(Box::new(self.node(
                    part,
                    &format!("{path}.not"),
                    depth + 1,
                )?))
            }
            Filter::Eq(term) => self.compare(term, O::Eq, &format!("{path}.eq"))?,
            Filter::Ne(term) => self.compare(term, O::Ne, &format!("{path}.ne"))?,
            Filter::Lt(term) => self.compare(term, O::Lt, &format!("{path}.lt"))?,
            Filter::Le(term) => self.compare(term, O::Le, &format!("{path}.le"))?,
            Filter::Gt(term) => self.compare(term, O::Gt, &format!("{path}.gt"))?,
            Filter::Ge(term) => self.compare(term, O::Ge, &format!("{path}.ge"))?,
            Filter::In(term) => self.among(term, &format!("{path}.in"))?,
            Filter::Prefix(term) => self.prefix(term, &format!("{path}.prefix"))?,
            Filter::IsNull(term) => {
                let path = format!("{path}.is_null");
                self.term(&term.column, &path, 0)?.node(Test::IsNull)
            }
        })
    }

    fn compare(&mut self, term: &Comparison, operator: Operator, path: &str) -> Result<Node> {
        let place = self.term(&term.column, path, 1)?;
        let value = place.literal(&term.value, literal::read)?;
        Ok(place.node(match place.class {
            Class::Float => Test::Residual,
            _ => Test::Compare(operator, value),
        }))
    }

    fn among(&mut self, term: &Among, path: &str) -> Result<Node> {
        if term.values.is_empty() {
            return Err(empty(path));
        }
        let place = self.term(&term.column, path, term.values.len())?;
        let values = term
            .values
            .iter()
            .map(|value| place.literal(value, literal::read));
        let values = values.collect::<Result<Vec<_>>>()?;
        let null = values.iter().any(Option::is_none);
        let mut values: Vec<Value> = values.into_iter().flatten().collect();
        values.sort_unstable();
        values.dedup();
        Ok(place.node(match place.class {
            Class::Float => Test::Residual,
            _ => Test::In { values, null },
        }))
    }

    fn prefix(&mut self, term: &Comparison, path: &str) -> Result<Node> {
        let place = self.term(&term.column, path, 1)?;
        let value = place.literal(&term.value, literal::read_prefix)?;
        Ok(place.node(Test::Prefix(value.map(|value| match value {
            Value::Bytes(bytes) => bytes,
            Value::Number(_) => Vec::new(),
        }))))
    }

    /// The column of a term with this many literals.
    fn term<'t>(&mut self, column: &'t str, path: &'t str, literals: usize) -> Result<Place<'t>> {
        self.terms += 1;
        self.literals += literals;
        if self.terms > FILTER_TERMS_MAX || self.literals > FILTER_LITERALS_MAX {
            let limits = format!("{FILTER_TERMS_MAX} terms and {FILTER_LITERALS_MAX} literals");
            return Err(beyond(format!("the limits are {limits}")));
        }
        let found = self
            .schema
            .fields()
            .iter()
            .position(|field| field.name() == column);
        let field = found.and_then(|index| Some((index, self.schema.fields().get(index)?)));
        let (index, field) = field.ok_or_else(|| missing(column, path))?;
        Ok(Place {
            column,
            path,
            index,
            class: class_of(field.data_type()),
            type_name: type_name(field.data_type()),
        })
    }
}

/// A column that a term names, and where the term stands.
struct Place<'a> {
    column: &'a str,
    path: &'a str,
    index: usize,
    class: Class,
    type_name: String,
}

impl Place<'_> {
    fn node(&self, test: Test) -> Node {
        Node::Term(Term {
            column: self.index,
            test,
        })
    }

    fn literal(
        &self,
        json: &serde_json::Value,
        read: fn(Class, &serde_json::Value) -> Result<Option<Value>, String>,
    ) -> Result<Option<Value>> {
        let column = self.column.escape_debug();
        if self.class == Class::Opaque {
            let message = format!("column \"{column}\" has no order to filter by");
            return Err(Error::new(Kind::Invalid, "FS0463", message)
                .with_detail(format!("{}: its type is {}", self.path, self.type_name))
                .with_hint(
                    "ask of it whether it is null, and evaluate the rest where the rows arrive",
                ));
        }
        read(self.class, json).map_err(|why| {
            let message = format!("a literal does not fit column \"{column}\"");
            Error::new(Kind::Invalid, "FS0462", message)
                .with_detail(format!(
                    "{}: {why} (the column is {})",
                    self.path, self.type_name
                ))
                .with_hint("docs/flight.md says how a literal of each type is written")
        })
    }
}

fn check_depth(depth: usize) -> Result<()> {
    match depth {
        ..FILTER_DEPTH_MAX => Ok(()),
        _ => Err(beyond(format!(
            "it is nested deeper than {FILTER_DEPTH_MAX} levels"
        ))),
    }
}

fn beyond(why: String) -> Error {
    Error::new(Kind::Invalid, "FS0460", "the filter is too large")
        .with_detail(why)
        .with_hint("push down a part of it, and evaluate the rest where the rows arrive")
}

fn missing(column: &str, path: &str) -> Error {
    let message = format!("the filter names no column \"{}\"", column.escape_debug());
    Error::new(Kind::Invalid, "FS0461", message)
        .with_detail(format!(
            "{path}: the dataset has none of that name; names have case"
        ))
        .with_hint("`flinkspark dataset show NAME` prints the columns")
}

fn empty(path: &str) -> Error {
    Error::new(Kind::Invalid, "FS0464", "a list of the filter is empty")
        .with_detail(format!("{path} has nothing in it"))
        .with_hint("leave the term out, or name what it is about")
}
