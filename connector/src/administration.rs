//! What callers do with the records of datasets, on whatever wire they ask.
//!
//! The catalogue decides whether a change fits, the log's schema is changed by [`evolution`]; here is who may ask for
//! what, and in which order it happens. Invariant: nothing of a record changes for a caller whose grants do not allow it.

use crate::evolution;
use flinkspark_model::access::{Caller, Verb};
use flinkspark_model::dataset::{Dataset, DatasetId};
use flinkspark_model::port::{Catalog, Change, Datasets, Leaving, Reference, Registration, Update};
use flinkspark_model::{Error, Kind, Result};
use std::sync::Arc;

/// The records, and the logs that they are of.
#[derive(Clone)]
pub struct Records {
    /// Has the records.
    pub catalog: Arc<dyn Catalog>,
    /// Opens the logs.
    pub datasets: Arc<dyn Datasets>,
}

impl Records {
    /// Gives a dataset its record.
    ///
    /// Errors: `FS1103` where the caller may not create one of that name, and those of [`Catalog::register`].
    pub async fn register(
        &self,
        caller: &Caller,
        registration: Registration,
    ) -> Result<Arc<Dataset>> {
        caller.may(Verb::Create, &registration.name)?;
        self.catalog.register(registration).await
    }

    /// Changes a record that is still at `version`.
    ///
    /// Errors: `FS1103` where the caller may not, those of [`Catalog::update`] and of [`evolution::change`].
    pub async fn change(
        &self,
        caller: &Caller,
        id: DatasetId,
        version: u64,
        update: Update,
    ) -> Result<Arc<Dataset>> {
        self.administered(caller, id).await?;
        if let Update::Record(Change::Rename(name)) = &update {
            caller.may(Verb::Create, name)?;
        }
        let (schema, mode) = match update {
            Update::Record(change) => return self.catalog.update(id, version, change).await,
            Update::Schema { schema, mode } => (schema, mode),
        };
        let Self { catalog, datasets } = self.clone();
        // A caller who leaves between slot and record stops nothing.
        let change = tokio::spawn(async move {
            evolution::change(&*catalog, &*datasets, id, version, schema, mode).await
        });
        change.await.map_err(|cause| {
            let message = "a service ended without an answer";
            Error::new(Kind::Internal, "FS0018", message).with_source(cause)
        })?
    }

    /// Forgets a record that is still at `version`, and says what of its rows leaves when.
    ///
    /// Errors: `FS1103` where the caller may not, and those of [`Catalog::drop_dataset`].
    pub async fn forget(&self, caller: &Caller, id: DatasetId, version: u64) -> Result<Leaving> {
        self.administered(caller, id).await?;
        let leaving = match self.catalog.lookup(&Reference::Id(id)).await {
            Ok(dataset) if dataset.version == version => self.datasets.leave(&dataset).await?,
            // The drop will be refused, or gives up a record that cannot be read.
            Ok(_) => Leaving::default(),
            Err(error) if error.kind() == Kind::Data => Leaving::default(),
            Err(error) => return Err(error),
        };
        self.catalog.drop_dataset(id, version).await?;
        Ok(leaving)
    }

    /// Refuses who is no admin of a dataset; of one that cannot be read, who is none of the bridge.
    async fn administered(&self, caller: &Caller, id: DatasetId) -> Result<()> {
        match self.catalog.lookup(&Reference::Id(id)).await {
            Ok(dataset) => caller.may(Verb::Admin, &dataset.name),
            Err(_) => caller.administers(),
        }
    }
}
