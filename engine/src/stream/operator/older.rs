//! States as the builds before wrote them: bodies of version 1.
//!
//! There, floats had one state for all partitions of the source, and sums of decimals had 38 digits. Owns
//! nothing that is written now. Invariant: a state that is opened means what it meant.

use crate::expr::aggregate::{Function, Ordered};
use crate::stream::message::broken;
use arrow_array::ArrayRef;
use arrow_cast::cast;
use arrow_schema::DataType;
use flinkspark_model::Result;

/// The state columns of one call as version 1 had them.
pub(super) struct States {
    older: Vec<DataType>,
    newer: Vec<DataType>,
    ordered: bool,
}

impl States {
    /// Those of a function over an argument of this type.
    pub(super) fn of(function: Function, argument: Option<&DataType>) -> Result<Self> {
        let newer = function.state_types(argument)?;
        let narrow = |ty: &DataType| match ty {
            DataType::Decimal256(_, scale) => DataType::Decimal128(38, *scale),
            ty => ty.clone(),
        };
        Ok(Self {
            older: newer.iter().map(narrow).collect(),
            newer,
            ordered: function.is_order_sensitive(argument),
        })
    }

    /// The types of the columns.
    pub(super) fn types(&self) -> &[DataType] {
        &self.older
    }

    /// The columns as this build has them. What was folded without regard to partitions counts as the
    /// first one's: over a single partition that is what it was.
    pub(super) fn upgrade(&self, columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let widened = columns.iter().zip(&self.newer);
        let widened = widened
            .map(|(column, ty)| cast(column, ty).map_err(broken))
            .collect::<Result<Vec<_>>>()?;
        match self.ordered {
            true => Ordered::states_of_one(&widened, 0),
            false => Ok(widened),
        }
    }
}
