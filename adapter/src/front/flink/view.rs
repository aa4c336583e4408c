//! Temporary views: `CREATE TEMPORARY VIEW name AS query` before the statement that uses them.
//!
//! A view is text that stands for its query, as in Flink. Invariant: a view sees the views before it and no WITH item, and
//! one that nothing uses reads nothing.

use crate::semantics::{invalid, refuse};
use datafusion::sql::sqlparser::ast;
use flinkspark_model::Result;

/// A view that is not bound.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Its name, and those of its columns where they are given.
    pub(super) alias: ast::TableAlias,
    pub(super) query: Box<ast::Query>,
}

impl View {
    /// Reads the statements before the last one: nothing else may stand there.
    pub(super) fn all(statements: Vec<ast::Statement>) -> Result<Vec<Self>> {
        let mut views: Vec<Self> = Vec::new();
        for statement in statements {
            let view = Self::new(statement)?;
            let name = &view.alias.name.value;
            if views.iter().any(|known| known.alias.name.value == *name) {
                return Err(invalid(format!("the view `{name}` is created twice")));
            }
            views.push(view);
        }
        Ok(views)
    }

    fn new(statement: ast::Statement) -> Result<Self> {
        let create = match statement {
            ast::Statement::CreateView(create) => create,
            ast::Statement::Query(_) | ast::Statement::Insert(_) => {
                let why = "there are several statements, and a job has one, after its views";
                return Err(super::syntax(why.into()));
            }
            other => {
                let words = super::first_words(&other.to_string());
                let what = format!("the statement {words} before another one");
                return Err(refuse(what, "clause"));
            }
        };
        let plain = !create.or_alter
            && !create.or_replace
            && !create.materialized
            && !create.secure
            && !create.if_not_exists
            && !create.with_no_schema_binding
            && !create.copy_grants
            && create.cluster_by.is_empty()
            && create.to.is_none()
            && create.params.is_none()
            && matches!(create.options, ast::CreateTableOptions::None);
        let named = create
            .columns
            .iter()
            .all(|column| column.data_type.is_none() && column.options.is_none());
        if !create.temporary {
            return Err(refuse("CREATE VIEW without TEMPORARY", "clause"));
        }
        let name = match create.name.0.as_slice() {
            [part] if plain && named => part.as_ident().cloned(),
            _ => None,
        };
        let name = name.ok_or_else(|| {
            refuse(
                "a CREATE TEMPORARY VIEW with more than a name, columns and a query",
                "clause",
            )
        })?;
        let column = |column: ast::ViewColumnDef| ast::TableAliasColumnDef {
            name: column.name,
            data_type: None,
        };
        Ok(Self {
            alias: ast::TableAlias {
                explicit: true,
                name,
                columns: create.columns.into_iter().map(column).collect(),
                at: None,
            },
            query: create.query,
        })
    }
}
