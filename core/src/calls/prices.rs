//! Asks for prices and judges what a create request may cost. These questions wait for no turn: the helper paths have a budget
//! of their own, and whatever they answer must not slow a create.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join;

use crate::calls::client_core::{ClientCore, Extra, Path};
#[cfg(feature = "journal")]
use crate::calls::create_log::BudgetShare;
#[cfg(not(feature = "journal"))]
use crate::calls::no_create_log::BudgetShare;
use crate::error::{Phase, Result};
use crate::model::{Prepared, Warning};
use crate::protocol::{
    ApiResponse, CallEvent, Estimate, PriceBook, PriceStep, parse_prices, parse_usage_log, transport_error,
};

/// Longest time for one of these questions: a create may wait for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells the book when the call that asks is dropped before it has its answers.
struct Asking<'a>(Option<&'a ClientCore>);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(core) = self.0 {
            core.price_book().dropped();
        }
    }
}

impl ClientCore {
    fn price_book(&self) -> MutexGuard<'_, PriceBook> {
        self.prices().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this request will cost, as far as the server tells.
    pub(crate) async fn estimate(&self, request: &Prepared) -> Estimate {
        loop {
            let step = self.price_book().step(self.now());
            match step {
                PriceStep::Known(facts) => return facts.estimate(request),
                PriceStep::WaitUntil(time) => self.sleep_until(time).await,
                PriceStep::Ask { list, log } => {
                    let mut asking = Asking(Some(self));
                    let (list, log) = join(
                        self.helper(list, "/api/pricing", parse_prices),
                        self.helper(log, "/api/log/token", parse_usage_log),
                    )
                    .await;
                    // From here on another call may be the one that asks.
                    asking.0 = None;
                    self.price_book().input(self.now(), list, log);
                }
            }
        }
    }

    async fn helper<T>(
        &self,
        wanted: bool,
        path: &'static str,
        parse: impl Fn(&ApiResponse) -> Result<T>,
    ) -> Option<Result<T>> {
        if !wanted {
            return None;
        }
        let url = Path::Root(path).at(self.endpoint());
        let patience = self.config.timeout.min(PATIENCE);
        Some(match self.exchange(Phase::Check, &url, None, patience, Extra::default()).await {
            CallEvent::Answered(answer) => parse(&answer),
            CallEvent::Failed(error) | CallEvent::Broken(_, error) => Err(transport_error(Phase::Check, error)),
            CallEvent::Refused(error) => Err(error),
        })
    }

    /// Whether anything is limited by prices.
    fn limits_cost(&self) -> bool {
        #[cfg(feature = "journal")]
        let has_budget = self.config.budget.is_some();
        #[cfg(not(feature = "journal"))]
        let has_budget = false;
        has_budget || self.config.max_cost.is_some()
    }

    /// Judges a request by `max_cost`, where that is set, and says what it reserves of `budget`; a warning where its price is not
    /// known.
    pub(crate) async fn within_cost(&self, request: &Prepared) -> Result<(Option<Warning>, BudgetShare)> {
        if !self.limits_cost() {
            return Ok((None, BudgetShare::default()));
        }
        let estimate = self.estimate(request).await;
        let warning = self.config.max_cost.as_ref().map(|limit| limit.judge(&estimate)).transpose()?.flatten();
        #[cfg(feature = "journal")]
        if let Some(budget) = &self.config.budget {
            let (share, unknown) = budget.share(&estimate)?;
            return Ok((warning.or(unknown), BudgetShare(Some(share))));
        }
        Ok((warning, BudgetShare::default()))
    }

    /// A create was charged.
    pub(crate) fn note_charge(&self) {
        if self.limits_cost() {
            self.price_book().charged();
        }
    }
}
