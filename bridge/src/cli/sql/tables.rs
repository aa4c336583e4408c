//! The tables of a session: `CREATE TABLE` makes a dataset or finds one that agrees, and may give it another name.
//!
//! Invariant: a name that a statement uses later stands for a dataset that exists and is as it was declared.

use super::session::{Alias, Session};
use crate::client::{answer, look_up};
use flinkspark_adapter::front::flink::table::{Table, declaration};
use flinkspark_model::dataset::Dataset;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1;

/// The code of a name that no dataset has.
const UNKNOWN: &str = "FS0512";

impl Session {
    /// Makes the dataset of a `CREATE TABLE`, or finds that the one which exists agrees with it.
    pub(super) async fn create_table(&mut self, text: &str) -> Result<()> {
        let table = Table::parse(text)?;
        let name = table.name.as_str();
        if self.has_view(name) {
            return Err(exists(&format!("the view `{name}` exists"), name));
        }
        if let Some(known) = self.alias(name) {
            return match table.if_not_exists && known.dataset == table.dataset {
                true => Ok(()),
                false => Err(exists(&format!("the table `{name}` exists"), name)),
            };
        }
        if table.is_alias() && !table.temporary && self.dataset(name).await?.is_some() {
            let what =
                format!("the dataset \"{name}\" exists, and the table of that name is another one");
            return Err(exists(&what, name));
        }
        let called = table.dataset.as_str();
        match self.dataset(called).await? {
            Some(dataset) => {
                table.check(&dataset)?;
                eprintln!("note: the table `{name}` is dataset \"{called}\", which exists");
            }
            None => {
                let request = v1::RegisterRequest::try_from(&table.registration()?)?;
                match answer(self.client.catalog.register(request).await) {
                    // Somebody else made it meanwhile.
                    Err(error) if error.kind() == Kind::Conflict => {
                        let dataset = self.dataset(called).await?;
                        table.check(&dataset.ok_or(error)?)?;
                    }
                    made => {
                        made?;
                        eprintln!(
                            "note: dataset \"{called}\" was made, with the columns of the table `{name}`"
                        );
                    }
                }
            }
        }
        if table.has_comments {
            eprintln!("note: the comments of the table `{name}` are not kept");
        }
        if table.is_alias() {
            // It may end with a comment, which would swallow the semicolon.
            let text = format!("{text}\n");
            self.aliases.push(Alias { table, text });
        }
        Ok(())
    }

    /// Forgets a table's name; its dataset stays.
    pub(super) fn drop_table(&mut self, name: &str, if_exists: bool) -> Result<()> {
        let before = self.aliases.len();
        self.aliases
            .retain(|known| known.table.name.as_str() != name);
        if if_exists || self.aliases.len() < before {
            return Ok(());
        }
        let what = format!("there is no table `{name}` of this session");
        Err(Error::new(Kind::NotFound, "FS0804", what)
            .with_hint("`flinkspark dataset drop NAME` drops a dataset"))
    }

    /// The `CREATE TABLE` that agrees with a dataset.
    pub(super) async fn declaration(&mut self, name: &str) -> Result<String> {
        let called = self.called(name);
        let view = look_up(&mut self.client, &called).await?;
        declaration(name, &Dataset::try_from(view.dataset.unwrap_or_default())?)
    }

    /// The dataset's own name, where the name is a table's.
    pub(super) fn called(&self, name: &str) -> String {
        let table = self.alias(name);
        table.map_or_else(|| name.to_owned(), |table| table.dataset.to_string())
    }

    pub(super) fn alias(&self, name: &str) -> Option<&Table> {
        let mut tables = self.aliases.iter().map(|alias| &alias.table);
        tables.find(|table| table.name.as_str() == name)
    }

    /// The dataset that has this name as its own.
    async fn dataset(&mut self, name: &str) -> Result<Option<Dataset>> {
        match look_up(&mut self.client, name).await {
            Ok(view) => Dataset::try_from(view.dataset.unwrap_or_default()).map(Some),
            Err(error) if error.code() == UNKNOWN => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn exists(what: &str, name: &str) -> Error {
    let hint = format!("choose another name than {name}, or drop it first");
    Error::new(Kind::Invalid, "FS0802", what).with_hint(hint)
}
