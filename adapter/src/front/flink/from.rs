//! FROM: tables, subqueries, joins.
//!
//! Invariant: a join's keys are pairs of columns of one type without floats; every other condition is
//! its residual, evaluated in SQL's three-valued logic.

use super::expr::{Calls, Exprs, connective};
use super::query::{Binder, rename};
use super::scope::{Field, Scope};
use super::select::split_and;
use super::subquery::types;
use super::{arrow_type, dataset_name};
use crate::plan::expr::{Expr, ExprKind};
use crate::plan::rel::{Column, Join, JoinKind, Node, Rel, Scan};
use crate::plan::types::{FlinkType, Root};
use crate::semantics::function::operator;
use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast::{self, JoinConstraint, JoinOperator, TableFactor};
use flinkspark_model::name::DatasetName;
use flinkspark_model::{Error, Kind, Result};

impl Binder<'_> {
    /// All items of FROM, joined from left to right.
    pub(super) fn from_clause(&mut self, items: &[ast::TableWithJoins]) -> Result<(Rel, Scope)> {
        let mut joined: Option<(Rel, Scope)> = None;
        for item in items {
            let right = self.table_with_joins(item)?;
            joined = Some(match joined {
                None => right,
                Some(left) => self.join(left, right, JoinKind::Inner, &JoinConstraint::None)?,
            });
        }
        joined.ok_or_else(|| invalid("an empty FROM"))
    }

    fn table_with_joins(&mut self, item: &ast::TableWithJoins) -> Result<(Rel, Scope)> {
        let mut left = self.factor(&item.relation)?;
        for join in &item.joins {
            if join.global {
                return Err(refuse("a GLOBAL join", "clause"));
            }
            let (kind, constraint) = kind_of(&join.join_operator)?;
            if let TableFactor::UNNEST { .. } = &join.relation {
                left = self.unnest(left, &join.relation, kind, constraint)?;
                continue;
            }
            let right = self.factor(&join.relation)?;
            left = self.join(left, right, kind, constraint)?;
        }
        Ok(left)
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<(Rel, Scope)> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                let rel = self.table(name)?;
                let own = name
                    .0
                    .last()
                    .and_then(|part| part.as_ident())
                    .map(|ident| ident.value.clone());
                aliased(rel, alias.as_ref(), own.as_deref())
            }
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                sample: None,
            } => {
                let rel = self.query(subquery)?;
                aliased(rel, alias.as_ref(), None)
            }
            TableFactor::TableFunction { expr, alias } => {
                let rel = self.window_function(expr)?;
                aliased(rel, alias.as_ref(), None)
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.table_with_joins(table_with_joins),
            TableFactor::UNNEST { .. } => {
                let nothing = (super::query::one_row(), Scope::default());
                self.unnest(nothing, factor, JoinKind::Inner, &JoinConstraint::None)
            }
            other => Err(refuse(format!("FROM {other}"), "clause")),
        }
    }

    /// A WITH item or a dataset.
    pub(super) fn table(&mut self, name: &ast::ObjectName) -> Result<Rel> {
        if let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident()
            && let Some((_, rel)) = self
                .named
                .iter()
                .rev()
                .find(|(named, _)| *named == ident.value)
        {
            return Ok(rel.clone());
        }
        let dataset = dataset_name(name)?;
        let info = self
            .tables
            .table(&dataset)?
            .ok_or_else(|| unknown(&dataset))?;
        let mut columns = Vec::with_capacity(info.schema.fields().len());
        let mut time_attribute = None;
        for (index, field) in info.schema.fields().iter().enumerate() {
            let mut ty = arrow_type(field).ok_or_else(|| {
                refuse(
                    format!(
                        "column \"{}\" of {dataset} with the Arrow type {}",
                        field.name(),
                        field.data_type()
                    ),
                    "type",
                )
            })?;
            if info.time_attribute.as_deref() == Some(field.name()) {
                if !matches!(ty.root, Root::Timestamp(_)) {
                    return Err(invalid(format!(
                        "the time attribute \"{}\" of {dataset} is no TIMESTAMP",
                        field.name()
                    )));
                }
                ty.root = Root::Timestamp(3);
                time_attribute = Some(index);
            }
            columns.push(Column {
                name: field.name().clone(),
                ty,
            });
        }
        let scan = Scan {
            dataset,
            time_attribute,
            watermark_delay_ms: info.watermark_delay_ms,
            bounded: info.bounded,
        };
        Ok(Rel {
            node: Node::Scan(scan),
            columns,
        })
    }

    /// CROSS JOIN UNNEST of one array column: NULL and empty arrays give no rows.
    fn unnest(
        &mut self,
        (left, scope): (Rel, Scope),
        factor: &TableFactor,
        kind: JoinKind,
        constraint: &JoinConstraint,
    ) -> Result<(Rel, Scope)> {
        let TableFactor::UNNEST {
            alias,
            array_exprs,
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: false,
        } = factor
        else {
            return Err(refuse(factor, "clause"));
        };
        let ([array], JoinKind::Inner, JoinConstraint::None) =
            (array_exprs.as_slice(), kind, constraint)
        else {
            return Err(refuse(factor, "clause"));
        };
        let mut calls = Calls::default();
        let array = Exprs {
            binder: self,
            scope: &scope,
            calls: &mut calls,
        }
        .bind(array)?;
        let Root::Array(element) = array.ty.root.clone() else {
            return Err(invalid("UNNEST of what is no array"));
        };
        if element.root.is_nested() {
            return Err(refuse("UNNEST of nested elements", "type"));
        }
        let width = left.columns.len();
        if scope.fields.len() != width {
            return Err(refuse("UNNEST beside USING or NATURAL", "clause"));
        }
        let mut exprs: Vec<Expr> = column_exprs(&left);
        exprs.push(array.clone());
        let mut columns = left.columns.clone();
        columns.push(Column {
            name: "$array".into(),
            ty: array.ty,
        });
        let input = Rel {
            node: Node::Project(Box::new(left), exprs),
            columns: columns.clone(),
        };
        let element = Column {
            name: "EXPR$0".into(),
            ty: (*element).clone(),
        };
        columns.push(element.clone());
        let unnested = Rel {
            node: Node::Unnest(Box::new(input), width),
            columns,
        };
        let kept: Vec<usize> = (0..width).chain([width + 1]).collect();
        let rel = picked(unnested, &kept);
        let only = Rel {
            node: rel.node.clone(),
            columns: vec![element],
        };
        let renamed = match alias {
            Some(alias) => rename(only, alias)?,
            None => only,
        };
        let field = Field {
            qualifier: alias.as_ref().map(|alias| alias.name.value.clone()),
            name: renamed.columns[0].name.clone(),
            expr: Expr::column(0, renamed.columns[0].ty.clone()),
            visible: true,
        };
        let types = types(&rel);
        Ok((
            rel,
            scope
                .joined(
                    Scope {
                        fields: vec![field],
                    },
                    width,
                )
                .with_types(&types),
        ))
    }

    fn join(
        &mut self,
        (left, left_scope): (Rel, Scope),
        (right, right_scope): (Rel, Scope),
        kind: JoinKind,
        constraint: &JoinConstraint,
    ) -> Result<(Rel, Scope)> {
        let width = left.columns.len();
        let mut columns: Vec<Column> = left.columns.iter().chain(&right.columns).cloned().collect();
        // Conditions are bound before the outer side becomes nullable, and over columns, not constants.
        let inner: Vec<FlinkType> = columns.iter().map(|column| column.ty.clone()).collect();
        let names = self.using(&left_scope, &right_scope, constraint)?;
        let scope = as_columns(left_scope).joined(as_columns(right_scope), width);
        let mut conditions = Vec::new();
        if let JoinConstraint::On(condition) = constraint {
            let mut conjuncts = Vec::new();
            split_and(condition, &mut conjuncts);
            for conjunct in conjuncts {
                let mut calls = Calls::default();
                conditions.push(
                    Exprs {
                        binder: self,
                        scope: &scope,
                        calls: &mut calls,
                    }
                    .condition(conjunct)?,
                );
            }
        }
        for (_, left, right) in &names {
            conditions.push(
                operator::EQUAL.call(vec![column_at(*left, &inner), column_at(*right, &inner)])?,
            );
        }
        let (keys, rest) = split_keys(conditions, width);
        if kind == JoinKind::Full && keys.is_empty() {
            return Err(refuse(
                "a FULL JOIN without an equality of columns",
                "clause",
            ));
        }
        let nullable = |index: usize| match kind {
            JoinKind::Full => true,
            JoinKind::Left => index >= width,
            JoinKind::Right => index < width,
            _ => false,
        };
        for (index, column) in columns.iter_mut().enumerate() {
            column.ty.nullable |= nullable(index);
        }
        let residual = (!rest.is_empty()).then(|| connective(rest, true));
        let rel = Rel {
            node: Node::Join(Box::new(Join {
                left,
                right,
                kind,
                keys,
                residual,
            })),
            columns,
        };
        let types = types(&rel);
        let scope = retyped(scope, &types);
        Ok((rel, merged(scope, names, kind, &types)?))
    }

    /// The names of USING or NATURAL with their positions on both sides.
    fn using(
        &self,
        left: &Scope,
        right: &Scope,
        constraint: &JoinConstraint,
    ) -> Result<Vec<(String, usize, usize)>> {
        let names: Vec<String> = match constraint {
            JoinConstraint::On(_) | JoinConstraint::None => return Ok(vec![]),
            JoinConstraint::Using(names) => names
                .iter()
                .map(|name| name.to_string().replace('`', ""))
                .collect(),
            JoinConstraint::Natural => {
                let shared =
                    |field: &&Field| field.visible && right.resolve(None, &field.name).is_ok();
                left.fields
                    .iter()
                    .filter(shared)
                    .map(|field| field.name.clone())
                    .collect()
            }
        };
        let place = |scope: &Scope, name: &str| {
            scope.resolve(None, name)?;
            let place = scope
                .fields
                .iter()
                .position(|field| field.visible && field.name == name);
            place.ok_or_else(|| invalid(format!("column '{name}' not found")))
        };
        let offset = left.fields.len();
        if left
            .fields
            .iter()
            .chain(&right.fields)
            .any(|field| !field.visible)
        {
            return Err(refuse("USING or NATURAL over another USING", "clause"));
        }
        names
            .into_iter()
            .map(|name| {
                Ok((
                    name.clone(),
                    place(left, &name)?,
                    offset + place(right, &name)?,
                ))
            })
            .collect()
    }
}

fn unknown(dataset: &DatasetName) -> Error {
    Error::new(
        Kind::Invalid,
        "FS0804",
        format!("there is no dataset \"{dataset}\""),
    )
    .with_hint("`flinkspark dataset list` shows the datasets that exist")
}

/// The relation under its alias, or under its own name.
fn aliased(rel: Rel, alias: Option<&ast::TableAlias>, own: Option<&str>) -> Result<(Rel, Scope)> {
    let (rel, name) = match alias {
        Some(alias) => (rename(rel, alias)?, Some(alias.name.value.clone())),
        None => (rel, own.map(str::to_owned)),
    };
    let scope = Scope::of(&rel, name.as_deref());
    Ok((rel, scope))
}

fn kind_of(operator: &JoinOperator) -> Result<(JoinKind, &JoinConstraint)> {
    Ok(match operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
            (JoinKind::Inner, constraint)
        }
        JoinOperator::CrossJoin(constraint) => (JoinKind::Inner, constraint),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
            (JoinKind::Left, constraint)
        }
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
            (JoinKind::Right, constraint)
        }
        JoinOperator::FullOuter(constraint) => (JoinKind::Full, constraint),
        _ => return Err(refuse("this kind of join", "clause")),
    })
}

fn column_at(index: usize, types: &[FlinkType]) -> Expr {
    Expr::column(
        index,
        types
            .get(index)
            .cloned()
            .unwrap_or(FlinkType::nullable(Root::Null)),
    )
}

fn column_exprs(rel: &Rel) -> Vec<Expr> {
    rel.columns
        .iter()
        .enumerate()
        .map(|(index, column)| Expr::column(index, column.ty.clone()))
        .collect()
}

/// The columns at these positions.
fn picked(rel: Rel, kept: &[usize]) -> Rel {
    let columns: Vec<Column> = kept
        .iter()
        .map(|index| rel.columns[*index].clone())
        .collect();
    let exprs = kept
        .iter()
        .zip(&columns)
        .map(|(index, column)| Expr::column(*index, column.ty.clone()))
        .collect();
    Rel {
        node: Node::Project(Box::new(rel), exprs),
        columns,
    }
}

/// Every field as the column at its place.
fn as_columns(scope: Scope) -> Scope {
    let plain = |(index, field): (usize, Field)| {
        let expr = match field.expr.kind {
            ExprKind::Column(_) => field.expr,
            _ => Expr::column(index, field.expr.ty),
        };
        Field { expr, ..field }
    };
    Scope {
        fields: scope.fields.into_iter().enumerate().map(plain).collect(),
    }
}

/// Plain columns with the types that the join gave them.
fn retyped(mut scope: Scope, types: &[FlinkType]) -> Scope {
    for field in &mut scope.fields {
        if let ExprKind::Column(index) = field.expr.kind {
            field.expr = column_at(index, types);
        }
    }
    scope
}

/// Equalities of a left and a right column of one exact type become keys.
fn split_keys(conditions: Vec<Expr>, width: usize) -> (Vec<(usize, usize)>, Vec<Expr>) {
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    for condition in conditions {
        match key_of(&condition, width) {
            Some(key) => keys.push(key),
            None => rest.push(condition),
        }
    }
    (keys, rest)
}

fn key_of(condition: &Expr, width: usize) -> Option<(usize, usize)> {
    let ExprKind::Call(function, args) = &condition.kind else {
        return None;
    };
    let [
        Expr {
            kind: ExprKind::Column(a),
            ty: x,
        },
        Expr {
            kind: ExprKind::Column(b),
            ty: y,
        },
    ] = args.as_slice()
    else {
        return None;
    };
    let same = x.root.arrow() == y.root.arrow() && !x.root.is_approximate() && !x.root.is_nested();
    if !same || **function != operator::EQUAL {
        return None;
    }
    match (*a < width, *b < width) {
        (true, false) => Some((*a, *b - width)),
        (false, true) => Some((*b, *a - width)),
        _ => None,
    }
}

/// The scope after USING: the merged columns come first and hide both of their sources.
fn merged(
    mut scope: Scope,
    names: Vec<(String, usize, usize)>,
    kind: JoinKind,
    types: &[FlinkType],
) -> Result<Scope> {
    let mut fields = Vec::with_capacity(names.len());
    for (name, left, right) in names {
        let (l, r) = (column_at(left, types), column_at(right, types));
        let expr = match kind {
            JoinKind::Right => r,
            JoinKind::Full => {
                let nullable = types.get(left).is_some_and(|ty| ty.nullable)
                    && types.get(right).is_some_and(|ty| ty.nullable);
                if l.ty.root != r.ty.root {
                    return Err(refuse(
                        "FULL JOIN USING over columns of different types",
                        "implicit-conversion",
                    ));
                }
                let ty = l.ty.with_nullable(nullable);
                Expr {
                    kind: ExprKind::Coalesce(vec![l, r]),
                    ty,
                }
            }
            _ => l,
        };
        scope.fields[left].visible = false;
        scope.fields[right].visible = false;
        fields.push(Field {
            qualifier: None,
            name,
            expr,
            visible: true,
        });
    }
    fields.extend(scope.fields);
    Ok(Scope { fields })
}
