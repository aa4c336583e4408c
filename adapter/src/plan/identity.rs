//! What decides the rows of a plan, as bytes: to them belongs what an engine keeps of a run.
//!
//! Nodes and rules by number or by the rule's own name, columns by position, types and constants. Names of
//! columns and datasets are not in it, nor any text that is printed for people. Numbers have a fixed width,
//! and whatever varies in length has its length before it. Invariant: plans of one encoding give the same
//! rows for the same datasets; the encoding of a plan that exists never changes (a change is a new version
//! of the identity that it becomes a part of).

use super::display::inputs;
use super::rel::{Node, Rel};
use super::{Home, Job};
use crate::semantics::expr::{Expr, ExprKind};
use crate::semantics::types::{FlinkType, Root};
use crate::semantics::value::Value;
use flinkspark_model::dataset::TimePrecision;
use flinkspark_model::schema::type_name;

/// The encoding of a job's plan.
pub fn encode(job: &Job) -> Vec<u8> {
    let mut bytes = Encoder::default();
    bytes.tag(match job.home {
        Home::FlinkStreaming => 1,
        Home::FlinkBatch => 2,
    });
    bytes.rel(&job.root);
    bytes.types(job.columns.iter().map(|column| &column.ty));
    bytes.0
}

#[derive(Default)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn number(&mut self, number: usize) {
        self.0.extend_from_slice(&(number as u64).to_le_bytes());
    }

    fn signed(&mut self, number: i128) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn maybe(&mut self, number: Option<usize>) {
        match number {
            None => self.tag(0),
            Some(number) => {
                self.tag(1);
                self.number(number);
            }
        }
    }

    fn rel(&mut self, rel: &Rel) {
        self.node(&rel.node);
        self.types(rel.columns.iter().map(|column| &column.ty));
        let below = inputs(rel);
        self.number(below.len());
        below.into_iter().for_each(|input| self.rel(input));
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Scan(scan) => {
                self.tag(1);
                self.maybe(scan.time_attribute);
                self.tag(match scan.time_precision {
                    TimePrecision::Exact => 0,
                    TimePrecision::Floor => 1,
                });
                self.signed(scan.watermark_delay_ms.map_or(-1, i128::from));
                self.tag(u8::from(scan.bounded));
            }
            Node::Project(_, exprs) => {
                self.tag(2);
                self.exprs(exprs);
            }
            Node::Filter(_, predicate) => {
                self.tag(3);
                self.expr(predicate);
            }
            Node::Tumble(_, tumble) => {
                self.tag(4);
                self.number(tumble.time);
                self.signed(tumble.size_ms.into());
                self.signed(tumble.offset_ms.into());
            }
            Node::Aggregate(_, grouping) => {
                self.tag(5);
                self.number(grouping.keys.len());
                grouping.keys.iter().for_each(|key| self.number(*key));
                self.number(grouping.calls.len());
                for call in &grouping.calls {
                    self.bytes(call.signature.function.name().as_bytes());
                    self.tag(u8::from(call.signature.distinct));
                    self.maybe(call.argument);
                    self.maybe(call.filter);
                }
            }
            Node::Distinct(_) => self.tag(6),
            // No engine keeps anything of a run with one of these: a stream does not run them.
            Node::Values(_)
            | Node::Expand(..)
            | Node::Join(_)
            | Node::Union(_)
            | Node::SetOperation(_)
            | Node::Over(..)
            | Node::Unnest(..)
            | Node::Sort(..)
            | Node::Limit { .. } => self.tag(0),
        }
    }

    fn exprs(&mut self, exprs: &[Expr]) {
        self.number(exprs.len());
        exprs.iter().for_each(|expr| self.expr(expr));
    }

    fn expr(&mut self, expr: &Expr) {
        self.ty(&expr.ty);
        match &expr.kind {
            ExprKind::Column(index) => {
                self.tag(1);
                self.number(*index);
            }
            ExprKind::Literal(value) => {
                self.tag(2);
                self.value(value);
            }
            ExprKind::Call(function, _) => {
                self.tag(3);
                self.bytes(function.name.as_bytes());
            }
            ExprKind::Cast(_) => self.tag(4),
            ExprKind::TryCast(_) => self.tag(5),
            ExprKind::And(_) => self.tag(6),
            ExprKind::Or(_) => self.tag(7),
            ExprKind::Case(..) => self.tag(8),
            ExprKind::Coalesce(_) => self.tag(9),
            ExprKind::Aggregate(index) => {
                self.tag(10);
                self.number(*index);
            }
            ExprKind::Over(index) => {
                self.tag(11);
                self.number(*index);
            }
        }
        let operands = expr.children();
        self.number(operands.len());
        operands.into_iter().for_each(|operand| self.expr(operand));
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.tag(0),
            Value::Boolean(truth) => {
                self.tag(1);
                self.tag(u8::from(*truth));
            }
            Value::Integer(number) => self.numbered(2, (*number).into()),
            Value::Float(number) => self.numbered(3, number.to_bits().into()),
            Value::Double(number) => self.numbered(4, number.to_bits().into()),
            Value::Decimal(digits) => self.numbered(5, *digits),
            Value::Text(text) => {
                self.tag(6);
                self.bytes(text.as_bytes());
            }
            Value::Bytes(bytes) => {
                self.tag(7);
                self.bytes(bytes);
            }
            Value::Date(days) => self.numbered(8, (*days).into()),
            Value::Time(ms) => self.numbered(9, (*ms).into()),
            Value::Timestamp(ns) => self.numbered(10, *ns),
            Value::Months(months) => self.numbered(11, (*months).into()),
            Value::Millis(ms) => self.numbered(12, (*ms).into()),
            Value::Array(values) => self.values(13, values.iter()),
            Value::Map(entries) => {
                self.values(14, entries.iter().flat_map(|(key, value)| [key, value]));
            }
            Value::Row(values) => self.values(15, values.iter()),
        }
    }

    fn numbered(&mut self, tag: u8, number: i128) {
        self.tag(tag);
        self.signed(number);
    }

    fn values<'a>(&mut self, tag: u8, values: impl Iterator<Item = &'a Value>) {
        self.tag(tag);
        let values: Vec<_> = values.collect();
        self.number(values.len());
        values.into_iter().for_each(|value| self.value(value));
    }

    fn types<'a>(&mut self, types: impl Iterator<Item = &'a FlinkType>) {
        let types: Vec<_> = types.collect();
        self.number(types.len());
        types.into_iter().for_each(|ty| self.ty(ty));
    }

    fn ty(&mut self, ty: &FlinkType) {
        self.tag(u8::from(ty.nullable));
        match &ty.root {
            Root::Null => self.tag(0),
            Root::Boolean => self.tag(1),
            Root::TinyInt => self.tag(2),
            Root::SmallInt => self.tag(3),
            Root::Int => self.tag(4),
            Root::BigInt => self.tag(5),
            Root::Float => self.tag(6),
            Root::Double => self.tag(7),
            Root::Decimal(precision, scale) => {
                self.tag(8);
                self.tag(*precision);
                self.tag(*scale);
            }
            Root::Char(length) => self.numbered(9, (*length).into()),
            Root::Varchar(length) => self.numbered(10, (*length).into()),
            Root::Binary(length) => self.numbered(11, (*length).into()),
            Root::Date => self.tag(12),
            Root::Time(precision) => self.numbered(13, (*precision).into()),
            Root::Timestamp(precision) => self.numbered(14, (*precision).into()),
            Root::IntervalMonths => self.tag(15),
            Root::IntervalMillis => self.tag(16),
            Root::Array(element) => {
                self.tag(17);
                self.ty(element);
            }
            Root::Map(key, value) => {
                self.tag(18);
                self.ty(key);
                self.ty(value);
            }
            // The names of a row's fields are names like any other.
            Root::Row(fields) => {
                self.tag(19);
                self.types(fields.iter().map(|(_, ty)| ty));
            }
            Root::Foreign(data_type) => {
                self.tag(20);
                self.bytes(type_name(data_type).as_bytes());
            }
        }
    }
}
