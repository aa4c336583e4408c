//! A table with two more columns: the partition from which a row was read, and the watermark at it.
//!
//! Where a row comes from is lost in the first exchange of a plan; with these columns it is data. The
//! watermarks are the streaming engine's: of a bounded dataset only the last partition has any, and a row's
//! depends on the rows of its partition before it alone. Invariant: the other columns, the rows and their
//! partitions are the table's own, and a scan that asks for neither column costs nothing.

use super::error::wrap;
use crate::stream::time::{Generator, millis};
use arrow_array::builder::Int64Builder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result as PlanResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use flinkspark_model::Result;
use flinkspark_model::dataset::TimePrecision;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// Event time: the column that carries it, and how watermarks follow it.
#[derive(Debug, Clone)]
pub struct EventTime {
    /// The column's index in the table.
    pub column: usize,
    /// The watermark is the greatest time seen less this many milliseconds, exactly.
    pub watermark_delay_ms: u64,
    /// What happens to values finer than milliseconds.
    pub precision: TimePrecision,
}

/// A table whose rows say where they come from.
#[derive(Debug)]
pub struct OriginTable {
    table: Arc<dyn TableProvider>,
    time: Option<EventTime>,
    schema: SchemaRef,
}

impl OriginTable {
    /// The table with the columns [`partition`](Self::partition) and [`watermark`](Self::watermark) behind
    /// its own; without event time every watermark is null.
    pub fn new(table: Arc<dyn TableProvider>, time: Option<EventTime>) -> Self {
        let own = table.schema();
        let unused = |mut name: String| {
            while own.index_of(&name).is_ok() {
                name.push('$');
            }
            name
        };
        let mut fields: Vec<Field> = own
            .fields()
            .iter()
            .map(|field| field.as_ref().clone())
            .collect();
        fields.push(Field::new(
            unused("$partition".into()),
            DataType::UInt32,
            false,
        ));
        fields.push(Field::new(
            unused("$watermark".into()),
            DataType::Int64,
            true,
        ));
        let schema = Schema::new(fields).with_metadata(own.metadata().clone());
        Self {
            table,
            time,
            schema: Arc::new(schema),
        }
    }

    /// The name of the column with the partition's number, UINT32.
    pub fn partition(&self) -> &str {
        self.schema.field(self.own()).name()
    }

    /// The name of the column with the watermark in force at a row, in milliseconds; null where there is none.
    pub fn watermark(&self) -> &str {
        self.schema.field(self.own() + 1).name()
    }

    /// How many columns are the table's own.
    fn own(&self) -> usize {
        self.schema.fields().len() - 2
    }
}

/// What a column of a scan is made from.
#[derive(Debug, Clone, Copy)]
enum From {
    /// A column of the scan below, by index.
    Table(usize),
    Partition,
    Watermark,
}

#[async_trait]
impl TableProvider for OriginTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        self.table.table_type()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let own = self.own();
        let all: Vec<usize> = (0..own + 2).collect();
        let wanted = projection.unwrap_or(&all);
        if wanted.iter().all(|column| *column < own) {
            return self.table.scan(state, projection, filters, limit).await;
        }
        let mut read: Vec<usize> = wanted
            .iter()
            .copied()
            .filter(|column| *column < own)
            .collect();
        let time = self.time.as_ref().filter(|_| wanted.contains(&(own + 1)));
        let mut place = |column: usize| {
            read.iter()
                .position(|other| *other == column)
                .unwrap_or_else(|| {
                    read.push(column);
                    read.len() - 1
                })
        };
        let time = time.map(|time| EventTime {
            column: place(time.column),
            ..time.clone()
        });
        let columns = wanted.iter().map(|column| match column.checked_sub(own) {
            None => From::Table(place(*column)),
            Some(0) => From::Partition,
            Some(_) => From::Watermark,
        });
        let columns: Arc<[From]> = columns.collect();
        let time_name = time.as_ref().and_then(|time| read.get(time.column));
        let time_name = time_name.map_or(String::new(), |at| self.schema.field(*at).name().clone());
        let plan = self.table.scan(state, Some(&read), filters, limit).await?;
        let schema = Arc::new(self.schema.project(wanted)?);
        let count = plan.output_partitioning().partition_count();
        let partition = |index: usize| {
            Arc::new(Partition {
                plan: Arc::clone(&plan),
                index,
                time: time.clone().filter(|_| index + 1 == count),
                time_name: time_name.clone(),
                columns: Arc::clone(&columns),
                schema: Arc::clone(&schema),
            }) as Arc<dyn PartitionStream>
        };
        let partitions = (0..count).map(partition).collect();
        let exec =
            StreamingTableExec::try_new(Arc::clone(&schema), partitions, None, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

#[derive(Debug)]
struct Partition {
    plan: Arc<dyn ExecutionPlan>,
    index: usize,
    /// Of the partition that has watermarks.
    time: Option<EventTime>,
    time_name: String,
    columns: Arc<[From]>,
    schema: SchemaRef,
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut origin = Origin {
            partition: u32::try_from(self.index).unwrap_or(u32::MAX),
            time: self.time.clone(),
            time_name: self.time_name.clone(),
            generator: self
                .time
                .as_ref()
                .map(|time| Generator::new(time.watermark_delay_ms, None)),
            columns: Arc::clone(&self.columns),
            schema: Arc::clone(&self.schema),
        };
        let rows = match self.plan.execute(self.index, context) {
            Ok(rows) => rows
                .map(move |batch| batch.and_then(|batch| origin.add(&batch).map_err(wrap)))
                .boxed(),
            Err(error) => futures::stream::once(async move { Err(error) }).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows.into_stream(),
        ))
    }
}

/// Adds the columns to the rows of one partition, in order.
struct Origin {
    partition: u32,
    time: Option<EventTime>,
    time_name: String,
    generator: Option<Generator>,
    columns: Arc<[From]>,
    schema: SchemaRef,
}

impl Origin {
    fn add(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let watermarks = self.watermarks(batch)?;
        let column = |from: &From| -> ArrayRef {
            match from {
                From::Table(index) => Arc::clone(batch.column(*index)),
                From::Partition => Arc::new(UInt32Array::from(vec![self.partition; rows])),
                From::Watermark => Arc::clone(&watermarks),
            }
        };
        let columns = self.columns.iter().map(column).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(crate::stream::message::broken)
    }

    fn watermarks(&mut self, batch: &RecordBatch) -> Result<ArrayRef> {
        let mut column = Int64Builder::with_capacity(batch.num_rows());
        match (&self.time, &mut self.generator) {
            (Some(time), Some(generator)) => {
                let times = millis(batch.column(time.column), &self.time_name, time.precision)?;
                for (rows, watermark) in generator.advance(&times).runs() {
                    match watermark == crate::stream::message::NO_WATERMARK {
                        true => column.append_nulls(rows),
                        false => column.append_value_n(watermark, rows),
                    }
                }
            }
            _ => column.append_nulls(batch.num_rows()),
        }
        Ok(Arc::new(column.finish()))
    }
}
