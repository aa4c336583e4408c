//! A session: what was set, which views there are, and one statement after another.

use super::super::args::{Format, Running, Target};
use super::super::render::{self, Listing};
use super::super::{job, query};
use super::settings::Settings;
use crate::client::{Address, Client, answer, look_up};
use crate::exit;
use flinkspark_adapter::front::flink::script::{Command, Piece};
use flinkspark_adapter::front::flink::table::Table;
use flinkspark_model::dataset::Dataset;
use flinkspark_model::port::{Answerer, Query};
use flinkspark_model::schema::type_name;
use flinkspark_model::{Error, Kind, Result};
use flinkspark_proto::v1;
use serde_json::json;
use std::time::Duration;

/// What a command line says of the statements that follow.
pub(super) struct Wanted {
    pub(super) on: Option<Target>,
    pub(super) run: Running,
}

/// Whether another statement follows.
pub(super) enum Flow {
    On,
    Quit,
    /// A job did not finish: the process's exit code.
    Failed(u8),
}

/// A table whose name is not its dataset's.
pub(super) struct Alias {
    pub(super) table: Table,
    /// The statement, which a job's text begins with.
    pub(super) text: String,
}

pub(super) struct Session {
    url: Address,
    output: Format,
    pub(super) client: Client,
    settings: Settings,
    /// Name and text, in the order of their creation.
    views: Vec<(String, String)>,
    /// The tables that are called otherwise than their datasets.
    pub(super) aliases: Vec<Alias>,
    id: Option<String>,
    reconnect: Duration,
    /// The jobs of the script, and how many of them were begun.
    jobs: usize,
    begun: usize,
}

impl Session {
    pub(super) async fn new(
        url: &Address,
        output: Format,
        wanted: Wanted,
        jobs: usize,
    ) -> Result<Self> {
        Ok(Self {
            url: url.clone(),
            output,
            client: Client::connect(url).await?,
            settings: Settings::new(wanted.on, wanted.run.options),
            views: Vec::new(),
            aliases: Vec::new(),
            id: wanted.run.id,
            reconnect: Duration::from_millis(wanted.run.reconnect),
            jobs,
            begun: 0,
        })
    }

    /// Carries one statement out, and prints what it gives.
    pub(super) async fn run(&mut self, piece: &Piece, command: Command) -> Result<Flow> {
        match command {
            Command::Quit => return Ok(Flow::Quit),
            Command::Set(Some((key, value))) => self.settings.set(&key, &value)?,
            Command::Set(None) => self.show_settings()?,
            Command::Reset(key) => self.settings.reset(key.as_deref())?,
            Command::StatementSet => {}
            Command::View(name) => self.create_view(name, &piece.text).await?,
            Command::DropView(name) => self.drop_view(&name)?,
            Command::Table => self.create_table(&piece.text).await?,
            Command::DropTable(name, if_exists) => self.drop_table(&name, if_exists)?,
            Command::ShowCreate(name) => {
                let text = self.declaration(&name).await?;
                match self.output {
                    Format::Table => render::text(&format!("{text}\n"))?,
                    Format::Json | Format::Jsonl => {
                        let mut listing = Listing::new(&["result"]);
                        listing.push(json!({ "result": text }));
                        render::listing(self.output, &listing)?;
                    }
                }
            }
            Command::ShowTables => {
                let tables = self.tables().await?;
                let mut listing = Listing::new(&["table"]);
                let views = self.views.iter().map(|(name, _)| name);
                let names = tables.iter().map(|table| table.name.as_str().to_owned());
                let aliases = self
                    .aliases
                    .iter()
                    .map(|alias| alias.table.name.to_string());
                names
                    .chain(aliases)
                    .chain(views.cloned())
                    .for_each(|name| listing.push(json!({ "table": name })));
                render::listing(self.output, &listing)?;
            }
            Command::ShowViews => {
                let mut listing = Listing::new(&["view"]);
                self.views
                    .iter()
                    .for_each(|(name, _)| listing.push(json!({ "view": name })));
                render::listing(self.output, &listing)?;
            }
            Command::Describe(name) => self.describe(&name).await?,
            Command::Explain(statement) => {
                let explained = self.explain(&statement).await?;
                if explained != exit::OK {
                    return Ok(Flow::Failed(explained));
                }
            }
            Command::Insert(statement) => return self.insert(&statement).await,
            Command::Query => {
                let question = query::Question {
                    statement: self.with_views(&piece.text),
                    limit: self.settings.limit(),
                    on: self.settings.target(),
                };
                query::print(&self.client, self.output, question).await?;
            }
        }
        Ok(Flow::On)
    }

    /// The names of everything that a statement may name, and of its columns.
    pub(super) async fn names(&mut self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.views.iter().map(|(name, _)| name.clone()).collect();
        names.extend(
            self.aliases
                .iter()
                .map(|alias| alias.table.name.to_string()),
        );
        for table in self.tables().await? {
            names.push(table.name.as_str().to_owned());
            names.extend(
                table
                    .schema
                    .fields()
                    .iter()
                    .map(|field| field.name().clone()),
            );
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The statement after the tables and views that it may name.
    fn with_views(&self, statement: &str) -> String {
        let tables = self.aliases.iter().map(|alias| &alias.text);
        let views = self.views.iter().map(|(_, text)| text);
        let before = tables.chain(views).map(|text| format!("{text};\n"));
        before.chain([statement.to_owned()]).collect()
    }

    pub(super) fn has_view(&self, name: &str) -> bool {
        self.views.iter().any(|(known, _)| known == name)
    }

    async fn create_view(&mut self, name: String, text: &str) -> Result<()> {
        if self.has_view(&name) || self.alias(&name).is_some() {
            let message = format!("the table or view `{name}` exists");
            return Err(
                Error::new(Kind::Invalid, "FS0802", message).with_hint(format!(
                    "DROP TEMPORARY VIEW {name} or DROP TEMPORARY TABLE {name} first, or choose another name"
                )),
            );
        }
        self.views.push((name.clone(), text.to_owned()));
        // What is wrong with it is said now.
        let planned = self.schema_of(&name).await;
        if planned.is_err() {
            self.views.pop();
        }
        planned.map(drop)
    }

    fn drop_view(&mut self, name: &str) -> Result<()> {
        let before = self.views.len();
        self.views.retain(|(known, _)| known != name);
        match self.views.len() < before {
            true => Ok(()),
            false => Err(Error::new(
                Kind::NotFound,
                "FS0804",
                format!("there is no view `{name}`"),
            )
            .with_hint("SHOW VIEWS lists those of this session")),
        }
    }

    /// The columns of a view.
    async fn schema_of(&self, view: &str) -> Result<arrow_schema::SchemaRef> {
        let question = Query {
            query: self.with_views(&format!("SELECT * FROM `{view}`")),
            limit: Some(0),
            on: Answerer::default(),
        };
        Ok(self.client.flight.query(&question).await?.schema)
    }

    async fn describe(&mut self, name: &str) -> Result<()> {
        let (schema, dataset) = match self.has_view(name) {
            true => (self.schema_of(name).await?, None),
            false => {
                let called = self.called(name);
                let view = look_up(&mut self.client, &called).await?;
                let dataset = Dataset::try_from(view.dataset.unwrap_or_default())?;
                (dataset.schema.clone(), Some(dataset))
            }
        };
        let mut listing = Listing::new(&["name", "type", "null", "key", "watermark"]);
        for field in schema.fields() {
            let traits = dataset.as_ref().map(|dataset| &dataset.traits);
            let is_key = traits.is_some_and(|traits| traits.primary_key.contains(field.name()));
            let time = traits.and_then(|traits| traits.time.as_ref());
            let time = time.filter(|time| time.column == *field.name());
            listing.push(json!({
                "name": field.name(), "type": type_name(field.data_type()), "null": field.is_nullable(),
                "key": is_key.then_some("primary"),
                "watermark": time.map(|time| format!("{} ms behind", time.watermark_delay_ms)),
            }));
        }
        render::listing(self.output, &listing)
    }

    async fn explain(&mut self, statement: &str) -> Result<u8> {
        let targets = [Target::Stream, Target::Batch];
        let request = v1::ExplainRequest {
            text: self.with_views(statement),
            targets: targets.map(|target| job::wire(target).into()).into(),
            options: Some(job::wire_options(&self.settings.options())),
        };
        let explained = answer(self.client.jobs.explain(request).await)?;
        job::explain(self.output, explained)
    }

    async fn insert(&mut self, statement: &str) -> Result<Flow> {
        self.begun += 1;
        let id = match &self.id {
            None => job::fresh_id(),
            Some(id) if self.jobs == 1 => id.clone(),
            Some(id) => format!("{id}-{}", self.begun),
        };
        eprintln!("job id: {id}");
        let request = v1::SubmitRequest {
            id,
            text: self.with_views(statement),
            target: job::wire(self.settings.target()).into(),
            options: Some(job::wire_options(&self.settings.options())),
        };
        let job = job::follow(&self.url, request, self.reconnect).await?;
        match job::finish(self.output, &job)? {
            exit::OK => Ok(Flow::On),
            code => Ok(Flow::Failed(code)),
        }
    }

    fn show_settings(&self) -> Result<()> {
        let mut listing = Listing::new(&["key", "value", "says"]);
        for (key, value, says) in self.settings.all() {
            listing.push(json!({ "key": key, "value": value, "says": says }));
        }
        render::listing(self.output, &listing)
    }

    /// Every dataset, in name order.
    async fn tables(&mut self) -> Result<Vec<Dataset>> {
        let mut tables = Vec::new();
        let mut after = String::new();
        loop {
            let request = v1::ListRequest {
                after,
                ..v1::ListRequest::default()
            };
            let page = answer(self.client.catalog.list(request).await)?;
            for dataset in page.datasets {
                tables.push(Dataset::try_from(dataset)?);
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(tables),
            }
        }
    }
}
