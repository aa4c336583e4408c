//! Datasets, what callers state of them, and how they are named.

use super::{enumeration, refuse, required};
use crate::v1;
use flinkspark_model::dataset::{self as model, Dataset, DatasetId, TimeAttribute, Traits};
use flinkspark_model::handle::Handle;
use flinkspark_model::name::DatasetName;
use flinkspark_model::port::{Change, Damaged, Page, Reference, Registration, Update};
use flinkspark_model::schema::Compatibility;
use flinkspark_model::{Error, Kind, Result, schema};
use std::sync::Arc;

enumeration!(
    encode_boundedness,
    decode_boundedness,
    "boundedness",
    Boundedness { Bounded, Unbounded },
    else Bounded
);
enumeration!(
    encode_changelog,
    decode_changelog,
    "changelog",
    Changelog { Append, Upsert, Retract },
    else Append
);
enumeration!(
    encode_precision,
    decode_precision,
    "precision",
    TimePrecision { Exact, Floor },
    else Exact
);

impl From<&Traits> for v1::Traits {
    fn from(traits: &Traits) -> Self {
        Self {
            boundedness: encode_boundedness(traits.boundedness),
            time: traits.time.as_ref().map(|time| v1::TimeAttribute {
                column: time.column.clone(),
                watermark_delay_ms: time.watermark_delay_ms,
                precision: encode_precision(time.precision),
            }),
            primary_key: traits.primary_key.clone(),
            changelog: encode_changelog(traits.changelog),
            partitioning: traits.partitioning.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::Traits> for Traits {
    type Error = Error;

    fn try_from(wire: v1::Traits) -> Result<Self> {
        let time = |time: v1::TimeAttribute| {
            Ok::<_, Error>(TimeAttribute {
                column: time.column,
                watermark_delay_ms: time.watermark_delay_ms,
                precision: decode_precision(time.precision)?,
            })
        };
        Ok(Self {
            boundedness: decode_boundedness(wire.boundedness)?,
            time: wire.time.map(time).transpose()?,
            primary_key: wire.primary_key,
            changelog: decode_changelog(wire.changelog)?,
            partitioning: wire.partitioning.map(Into::into),
        })
    }
}

impl TryFrom<&Dataset> for v1::Dataset {
    type Error = Error;

    fn try_from(dataset: &Dataset) -> Result<Self> {
        Ok(Self {
            id: dataset.id.to_string(),
            name: dataset.name.to_string(),
            version: dataset.version,
            schema_version: dataset.schema_version,
            schema: schema::to_json(&dataset.schema)?,
            traits: Some((&dataset.traits).into()),
            handles: dataset.handles.iter().map(Into::into).collect(),
            created_at_ms: dataset.created_at_ms,
        })
    }
}

impl TryFrom<v1::Dataset> for Dataset {
    type Error = Error;

    fn try_from(wire: v1::Dataset) -> Result<Self> {
        Self {
            id: wire.id.parse()?,
            name: wire.name.parse()?,
            version: wire.version,
            schema_version: wire.schema_version,
            schema: Arc::new(schema::from_json(&wire.schema)?),
            traits: wire.traits.unwrap_or_default().try_into()?,
            handles: handles(wire.handles)?,
            created_at_ms: wire.created_at_ms,
        }
        .validate()
    }
}

fn handles(wire: Vec<v1::Handle>) -> Result<Vec<Handle>> {
    wire.into_iter().map(Handle::try_from).collect()
}

impl TryFrom<&Registration> for v1::RegisterRequest {
    type Error = Error;

    fn try_from(registration: &Registration) -> Result<Self> {
        Ok(Self {
            name: registration.name.to_string(),
            schema: schema::to_json(&registration.schema)?,
            traits: Some((&registration.traits).into()),
            handles: registration.handles.iter().map(Into::into).collect(),
        })
    }
}

impl TryFrom<v1::RegisterRequest> for Registration {
    type Error = Error;

    fn try_from(wire: v1::RegisterRequest) -> Result<Self> {
        Ok(Self {
            name: wire.name.parse()?,
            schema: Arc::new(schema::from_json(&wire.schema)?),
            traits: wire.traits.unwrap_or_default().try_into()?,
            handles: handles(wire.handles)?,
        })
    }
}

impl From<&Reference> for v1::Reference {
    fn from(reference: &Reference) -> Self {
        let by = match reference {
            Reference::Id(id) => v1::reference::By::Id(id.to_string()),
            Reference::Name(name) => v1::reference::By::Name(name.to_string()),
            Reference::Handle(key) => v1::reference::By::Handle(key.to_string()),
        };
        Self { by: Some(by) }
    }
}

impl TryFrom<v1::Reference> for Reference {
    type Error = Error;

    fn try_from(wire: v1::Reference) -> Result<Self> {
        match required(wire.by, "reference.by")? {
            v1::reference::By::Id(id) => id.parse().map(Self::Id),
            v1::reference::By::Name(name) => name.parse().map(Self::Name),
            v1::reference::By::Handle(key) => key.parse().map(Self::Handle),
        }
    }
}

impl v1::UpdateRequest {
    /// The request to apply an update to the record at `version`. The change by which a record follows
    /// its log has no form on the wire: it is `Internal`.
    pub fn new(id: DatasetId, version: u64, update: &Update) -> Result<Self> {
        use v1::update_request::Change as Wire;
        let (change, compatibility) = match update {
            Update::Record(Change::Rename(name)) => (Wire::Rename(name.to_string()), None),
            Update::Record(Change::Traits(traits)) => (Wire::Traits(traits.into()), None),
            Update::Record(Change::SetHandle(handle)) => (Wire::SetHandle(handle.into()), None),
            Update::Record(Change::Schema { .. }) => {
                return Err(Error::new(
                    Kind::Internal,
                    "FS0190",
                    "a record follows its log inside the server alone",
                ));
            }
            Update::Schema { schema, mode } => (Wire::Schema(schema::to_json(schema)?), Some(mode)),
        };
        Ok(Self {
            id: id.to_string(),
            version,
            compatibility: compatibility.map(ToString::to_string).unwrap_or_default(),
            change: Some(change),
        })
    }

    /// The dataset, the version that the caller has read, and what is asked for.
    pub fn parts(self) -> Result<(DatasetId, u64, Update)> {
        use v1::update_request::Change as Wire;
        let update = match required(self.change, "change")? {
            Wire::Rename(name) => Update::Record(Change::Rename(name.parse()?)),
            Wire::Schema(text) => Update::Schema {
                schema: Arc::new(schema::from_json(&text)?),
                mode: match self.compatibility.as_str() {
                    "" => Compatibility::default(),
                    mode => mode.parse()?,
                },
            },
            Wire::Traits(traits) => Update::Record(Change::Traits(traits.try_into()?)),
            Wire::SetHandle(handle) => Update::Record(Change::SetHandle(handle.try_into()?)),
        };
        Ok((self.id.parse()?, self.version, update))
    }
}

impl TryFrom<&Page> for v1::ListResponse {
    type Error = Error;

    fn try_from(page: &Page) -> Result<Self> {
        let datasets = page.datasets.iter();
        Ok(Self {
            datasets: datasets
                .map(|one| one.as_ref().try_into())
                .collect::<Result<_>>()?,
            damaged: page.damaged.iter().map(Into::into).collect(),
            next: page.next.as_ref().map(DatasetName::to_string),
        })
    }
}

impl From<&Damaged> for v1::DamagedDataset {
    fn from(damaged: &Damaged) -> Self {
        Self {
            id: damaged.id.to_string(),
            name: damaged.name.to_string(),
            code: damaged.error.code().into(),
            message: damaged.error.message().into(),
            detail: damaged.error.detail().map(Into::into),
            hint: damaged.error.hint().map(Into::into),
        }
    }
}

impl TryFrom<v1::DamagedDataset> for Damaged {
    type Error = Error;

    fn try_from(wire: v1::DamagedDataset) -> Result<Self> {
        let mut error = Error::from_wire(Kind::Data, wire.code, wire.message);
        if let Some(detail) = wire.detail {
            error = error.with_detail(detail);
        }
        if let Some(hint) = wire.hint {
            error = error.with_hint(hint);
        }
        Ok(Self {
            id: wire.id.parse()?,
            name: wire.name.parse()?,
            error,
        })
    }
}

impl TryFrom<v1::ListResponse> for Page {
    type Error = Error;

    fn try_from(wire: v1::ListResponse) -> Result<Self> {
        let datasets = wire.datasets.into_iter();
        Ok(Self {
            datasets: datasets
                .map(|one| Dataset::try_from(one).map(Arc::new))
                .collect::<Result<_>>()?,
            damaged: wire
                .damaged
                .into_iter()
                .map(Damaged::try_from)
                .collect::<Result<_>>()?,
            next: wire.next.map(DatasetName::try_from).transpose()?,
        })
    }
}
