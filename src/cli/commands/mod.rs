//! The commands, one file each, and the parts that they share.

pub(crate) mod check;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod purge;
mod purge_report;
mod record;
mod report;
mod selected;
mod table;
pub(crate) mod task;
