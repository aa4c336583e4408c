//! Which arguments a function takes: what the binder says when it is asked.
//!
//! Every combination of a few types is tried over columns, up to three arguments, and what is taken is written together.
//! A function that takes no columns only is tried with constants. Invariant: nothing is listed that the binder did not
//! take.

use super::super::{TableInfo, Tables, bind, call, over, parse};
use crate::plan::rel::Node;
use crate::semantics::expr::Expr;
use crate::semantics::function;
use crate::semantics::types::{FlinkType, Root};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use flinkspark_model::Result;
use flinkspark_model::dataset::TimePrecision;
use flinkspark_model::name::DatasetName;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most arguments that are tried.
const ARGUMENTS_MAX: usize = 3;

/// The types that are tried: what they are called, and a constant of each.
const KINDS: [(&str, &str); 10] = [
    ("BOOLEAN", "TRUE"),
    ("INT", "1"),
    ("BIGINT", "CAST(1 AS BIGINT)"),
    ("DECIMAL", "1.5"),
    ("DOUBLE", "CAST(1.5 AS DOUBLE)"),
    ("STRING", "'a'"),
    ("DATE", "DATE '2024-02-29'"),
    ("TIME", "TIME '12:00:00'"),
    ("TIMESTAMP", "TIMESTAMP '2024-02-29 12:00:00'"),
    ("ARRAY", "ARRAY['a']"),
];

/// The kinds that are numbers, by their places.
const NUMBERS: [usize; 4] = [1, 2, 3, 4];

/// A constant of another form, for functions that want one: a pattern, a format, a moment.
const TEXTS: [&str; 5] = [
    "'a'",
    "'yyyy-MM-dd'",
    "'$.a'",
    "'UTC'",
    "'2024-02-29 12:00:00'",
];

/// The function that stands between its arguments.
const BETWEEN: &str = "||";

/// How a function may be called, such as `ABS(number) -> as argument 1`.
pub fn signatures(name: &str) -> Vec<String> {
    let around = Around::of(name);
    let mut taken: Vec<Taken> = (0..=ARGUMENTS_MAX)
        .flat_map(|count| combinations(count, KINDS.len()))
        .filter_map(|kinds| over_columns(name, &around, kinds))
        .collect();
    let constants = taken.is_empty();
    if constants {
        taken = with_constants(name, &around);
    }
    let taken = merged(taken);
    taken
        .iter()
        .map(|taken| taken.text(name, &around))
        .collect()
}

/// What stands around the arguments.
struct Around {
    before: &'static str,
    after: &'static str,
}

impl Around {
    fn of(name: &str) -> Self {
        Self {
            before: match call::WITH_UNITS.contains(&name) {
                true => "DAY, ",
                false => "",
            },
            after: match over::ALONE.contains(&name) {
                true => " OVER (ORDER BY c1)",
                false => "",
            },
        }
    }

    fn call(&self, name: &str, arguments: &[String]) -> String {
        let Self { before, after } = self;
        if name == BETWEEN {
            return format!("SELECT {} AS q FROM t", arguments.join(" || "));
        }
        format!(
            "SELECT {name}({before}{}){after} AS q FROM t",
            arguments.join(", ")
        )
    }
}

/// Arguments that are taken, by kind and by whether they are constants, and what may be said of the result.
#[derive(Debug, Clone, PartialEq)]
struct Taken {
    arguments: Vec<(BTreeSet<usize>, bool)>,
    results: BTreeSet<Given>,
}

/// What a result's type is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Given {
    /// That of an argument, by its place.
    As(usize),
    /// This one.
    Type(String),
}

impl Taken {
    fn new(kinds: &[(usize, bool)], result: &FlinkType) -> Self {
        let result = kind(&result.root);
        let same = kinds
            .iter()
            .enumerate()
            .filter(|(_, (kind, _))| KINDS.get(*kind).is_some_and(|(name, _)| *name == result));
        let same: Vec<Given> = same.map(|(place, _)| Given::As(place)).collect();
        Self {
            arguments: kinds
                .iter()
                .map(|(kind, constant)| (BTreeSet::from([*kind]), *constant))
                .collect(),
            results: same.into_iter().chain([Given::Type(result)]).collect(),
        }
    }

    /// Both in one, where they differ in one argument and something is true of both results.
    fn with(&self, other: &Self) -> Option<Self> {
        if self.arguments.len() != other.arguments.len() {
            return None;
        }
        let results: BTreeSet<Given> = self.results.intersection(&other.results).cloned().collect();
        let pairs = || self.arguments.iter().zip(&other.arguments);
        let differ = pairs().filter(|(a, b)| a != b).count();
        let constants = pairs().all(|(a, b)| a.1 == b.1);
        if differ > 1 || results.is_empty() || !constants {
            return None;
        }
        let arguments = pairs().map(|(a, b)| (a.0.union(&b.0).copied().collect(), a.1));
        Some(Self {
            arguments: arguments.collect(),
            results,
        })
    }

    fn text(&self, name: &str, around: &Around) -> String {
        let mut arguments: Vec<String> = self
            .arguments
            .iter()
            .map(|(kinds, constant)| match constant {
                true => format!("constant {}", names(kinds)),
                false => names(kinds),
            })
            .collect();
        if !around.before.is_empty() {
            arguments.insert(0, "unit".into());
        }
        let over = match around.after.is_empty() {
            true => "",
            false => " OVER (...)",
        };
        let fixed = self.results.iter().find_map(|result| match result {
            Given::Type(name) => Some(name.clone()),
            Given::As(_) => None,
        });
        let as_argument = self.results.iter().find_map(|result| match result {
            Given::As(place) => Some(format!("as argument {}", place + 1)),
            Given::Type(_) => None,
        });
        let result = fixed.or(as_argument).unwrap_or_default();
        match name {
            BETWEEN => format!("{} -> {result}", arguments.join(" || ")),
            _ => format!("{name}({}){over} -> {result}", arguments.join(", ")),
        }
    }
}

/// `number` where it is every kind of number, `any` where it is every kind.
fn names(kinds: &BTreeSet<usize>) -> String {
    if kinds.len() == KINDS.len() {
        return "any".into();
    }
    let numbers = NUMBERS.iter().all(|number| kinds.contains(number));
    let others = kinds
        .iter()
        .filter(|kind| !numbers || !NUMBERS.contains(kind))
        .filter_map(|kind| KINDS.get(*kind).map(|(name, _)| *name));
    let number = numbers.then_some("number");
    number
        .into_iter()
        .chain(others)
        .collect::<Vec<_>>()
        .join(" | ")
}

/// The name of a type, without what is in its brackets.
fn kind(root: &Root) -> String {
    let text = FlinkType::nullable(root.clone()).to_string();
    let end = text.find(['(', '<', ' ']).unwrap_or(text.len());
    match text.get(..end).unwrap_or_default() {
        "CHAR" | "VARCHAR" => "STRING".into(),
        name => name.into(),
    }
}

/// The call over columns of these kinds, if it is taken. The table of functions is asked first, which is quick.
fn over_columns(name: &str, around: &Around, kinds: Vec<usize>) -> Option<Taken> {
    if let Some(function) = function::find(name) {
        let column = |(place, kind): (usize, &usize)| Expr::column(place, ty(*kind));
        (function.bind)(kinds.iter().enumerate().map(column).collect()).ok()?;
    }
    let arguments: Vec<String> = kinds.iter().map(|kind| format!("c{kind}")).collect();
    let result = asked(&around.call(name, &arguments))?;
    let kinds: Vec<(usize, bool)> = kinds.into_iter().map(|kind| (kind, false)).collect();
    Some(Taken::new(&kinds, &result))
}

/// The calls with constants behind a column or alone: each place in turn. The table of functions is asked first, which is
/// quick.
fn with_constants(name: &str, around: &Around) -> Vec<Taken> {
    let function = function::find(name);
    let kinds: Vec<Option<Expr>> = KINDS.iter().map(|(_, text)| constant(text)).collect();
    let texts: Vec<Option<Expr>> = TEXTS.iter().map(|text| constant(text)).collect();
    let mut taken = Vec::new();
    for count in 1..=ARGUMENTS_MAX {
        for combination in combinations(count, KINDS.len()) {
            for constants in 1..=count {
                let columns = count - constants;
                let is_text =
                    |kind: usize| KINDS.get(kind).is_some_and(|(name, _)| *name == "STRING");
                let expr = |text: &Option<Expr>, place: usize, kind: usize| match kinds.get(kind) {
                    _ if place < columns => Some(Expr::column(place, ty(kind))),
                    _ if is_text(kind) => text.clone(),
                    Some(constant) => constant.clone(),
                    None => None,
                };
                let argument = |text: &str, place: usize, kind: usize| match KINDS.get(kind) {
                    _ if place < columns => format!("c{kind}"),
                    _ if is_text(kind) => text.to_owned(),
                    Some((_, constant)) => (*constant).to_owned(),
                    None => String::new(),
                };
                let result = TEXTS.iter().zip(&texts).find_map(|(text, bound)| {
                    let places = || combination.iter().enumerate();
                    if let Some(function) = function {
                        let exprs = places().map(|(place, kind)| expr(bound, place, *kind));
                        (function.bind)(exprs.collect::<Option<Vec<_>>>()?).ok()?;
                    }
                    let arguments: Vec<String> = places()
                        .map(|(place, kind)| argument(text, place, *kind))
                        .collect();
                    asked(&around.call(name, &arguments))
                });
                if let Some(result) = result {
                    let kinds = combination.iter().enumerate();
                    let kinds: Vec<(usize, bool)> = kinds
                        .map(|(place, kind)| (*kind, place >= columns))
                        .collect();
                    taken.push(Taken::new(&kinds, &result));
                    break;
                }
            }
        }
    }
    taken
}

/// A constant as the binder reads it.
fn constant(text: &str) -> Option<Expr> {
    let job = parse(&format!("SELECT {text} AS q"))
        .and_then(|statement| bind(&statement, &Columns))
        .ok()?;
    match job.root.node {
        Node::Project(_, exprs) => exprs.into_iter().next(),
        _ => None,
    }
}

/// The type of the only column of a statement that binds.
fn asked(text: &str) -> Option<FlinkType> {
    let job = parse(text)
        .and_then(|statement| bind(&statement, &Columns))
        .ok()?;
    job.columns.first().map(|column| column.ty.clone())
}

/// Fewer that say the same.
fn merged(taken: Vec<Taken>) -> Vec<Taken> {
    let mut all = taken;
    loop {
        let before = all.len();
        let mut fewer: Vec<Taken> = Vec::new();
        for one in all {
            let joined = fewer.iter_mut().find_map(|there| {
                let both = there.with(&one)?;
                Some((there, both))
            });
            match joined {
                Some((there, both)) => *there = both,
                None => fewer.push(one),
            }
        }
        all = fewer;
        if all.len() == before {
            return all;
        }
    }
}

/// Every row of so many numbers below a limit.
fn combinations(count: usize, below: usize) -> Vec<Vec<usize>> {
    (0..count).fold(vec![Vec::new()], |rows, _| {
        let longer = |row: &Vec<usize>| {
            let row = row.clone();
            (0..below).map(move |next| row.iter().copied().chain([next]).collect())
        };
        rows.iter().flat_map(longer).collect()
    })
}

/// The type of the column of a kind.
fn ty(kind: usize) -> FlinkType {
    FlinkType::nullable(match kind {
        0 => Root::Boolean,
        1 => Root::Int,
        2 => Root::BigInt,
        3 => Root::Decimal(10, 2),
        4 => Root::Double,
        5 => Root::STRING,
        6 => Root::Date,
        7 => Root::Time(0),
        8 => Root::Timestamp(3),
        _ => Root::Array(Box::new(FlinkType::nullable(Root::STRING))),
    })
}

/// One table with a column of each kind, `c0` to `c9`.
struct Columns;

impl Tables for Columns {
    fn table(&self, _: &DatasetName) -> Result<Option<TableInfo>> {
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let types = [
            DataType::Boolean,
            DataType::Int32,
            DataType::Int64,
            DataType::Decimal128(10, 2),
            DataType::Float64,
            DataType::Utf8,
            DataType::Date32,
            DataType::Time32(TimeUnit::Second),
            DataType::Timestamp(TimeUnit::Millisecond, None),
            DataType::List(item),
        ];
        let fields = types.into_iter().enumerate();
        let fields = fields.map(|(n, ty)| Field::new(format!("c{n}"), ty, true));
        Ok(Some(TableInfo {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            time_attribute: None,
            time_precision: TimePrecision::Exact,
            watermark_delay_ms: None,
            bounded: true,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions;
    use super::*;

    #[test]
    fn every_function_has_a_signature() {
        let names = functions().into_iter().flat_map(|group| group.names);
        let without: Vec<&str> = names.filter(|name| signatures(name).is_empty()).collect();
        assert!(without.is_empty(), "{without:?}");
    }

    #[test]
    fn a_signature_says_what_is_taken_and_what_comes_of_it() {
        for (name, signature) in [
            ("ABS", "ABS(number) -> as argument 1"),
            ("UPPER", "UPPER(STRING) -> STRING"),
            ("COUNT", "COUNT(any) -> BIGINT"),
            ("||", "STRING || STRING -> STRING"),
            (
                "UNIX_TIMESTAMP",
                "UNIX_TIMESTAMP(constant STRING) -> BIGINT",
            ),
            ("ROW_NUMBER", "ROW_NUMBER() OVER (...) -> BIGINT"),
        ] {
            let all = signatures(name);
            assert!(all.iter().any(|one| one == signature), "{name}: {all:?}");
        }
        assert_eq!(signatures("NOBODYS"), Vec::<String>::new());
    }
}
