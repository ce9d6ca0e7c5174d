//! What was spent, as the journal says.

use serde::Serialize;

use crate::client::videos::Videos;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::protocol::UNITS_PER_USD;
use crate::protocol::ledger::Spent;
use crate::text::days;

/// What was created and charged on one day with one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Spending {
    /// The day of the create requests in UTC, as `YYYY-MM-DD`.
    pub day: String,
    /// The model asked for.
    pub model: String,
    /// Tasks that were created.
    pub creates: u64,
    /// What they cost, in the server's units (500000 = 1 USD), with what was returned since.
    pub charged_units: u64,
    /// The same in USD.
    pub charged_usd: f64,
    /// What the service returned of it, for failed tasks.
    pub refunded_units: u64,
    /// The same in USD.
    pub refunded_usd: f64,
    /// Tasks that failed.
    pub failed: u64,
    /// Create requests whose outcome is not known, those in flight included: they may have been charged.
    pub unknown: u64,
    /// Tasks that have not failed and whose charge was never seen: they are still running, nobody waited for them, or the server
    /// does not say it. They are not in `charged_units`.
    pub uncharged: u64,
}

impl From<Spent> for Spending {
    fn from(Spent { day, model, totals }: Spent) -> Self {
        let usd = |units: u64| units as f64 / UNITS_PER_USD;
        Self {
            day: days::write(day),
            model,
            creates: totals.creates,
            charged_units: totals.charged,
            charged_usd: usd(totals.charged),
            refunded_units: totals.refunded,
            refunded_usd: usd(totals.refunded),
            failed: totals.failed,
            unknown: totals.unknown,
            uncharged: totals.uncharged,
        }
    }
}

impl Videos {
    /// What was created and charged under this journal, a line for each UTC day and model, oldest first; from `since` on, a day
    /// as `YYYY-MM-DD`. Asks nothing of the server. Known are the charges that a wait, [`Videos::get`] or
    /// [`Task::refresh`](crate::Task::refresh) has seen; a file reaches back 400 days, a database as far as it keeps keys
    /// (30 days).
    ///
    /// # Errors
    /// `invalid_request` when `since` is not a day; `config` without a journal; `journal` when it cannot be read.
    pub async fn spending(&self, since: Option<&str>) -> Result<Vec<Spending>> {
        let first = since.map_or(Some(0), days::read).ok_or_else(|| {
            let text = "since must be a day such as 2026-01-31";
            Error::field(ErrorKind::InvalidRequest, Phase::Journal, "since", text)
        })?;
        let lines = self.client.core.journal()?.spending().await?;
        Ok(lines.into_iter().filter(|spent| spent.day >= first).map(Spending::from).collect())
    }
}
