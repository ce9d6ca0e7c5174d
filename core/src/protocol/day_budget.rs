//! The budget of a UTC day, for everybody who shares a journal: what a create request reserves before it is sent, and what becomes
//! of that.
//!
//! ```text
//!            reserve                        charge seen
//!   (none) ───────────▶ reserved: estimate ─────────────▶ spent: the charge
//!      │                   │
//!      └ Exceeded          └ refused, never sent, resolved as "no task", failed (refunded) ──▶ nothing
//! ```
//!
//! A create request whose outcome is unknown keeps its reservation until it is settled: by its charge, by `reconcile`, or by
//! `resolve_unknown`. A process that is killed anywhere in between leaves a sum that is too high, never one that is too low.
//! A file's journal adds the sum up from its entries ([`Ledger::used_on`](super::ledger::Ledger::used_on)); one in a
//! store keeps a [`DaySum`] in a row of its own.
//!
//! ```
//! use junfeiai::protocol::day_budget::{DayBudget, DaySum, Reservation, Settlement};
//!
//! let budget = DayBudget::new(0.5, false)?;
//! let share = Reservation::new(&budget, Some(150_000));
//! let mut sum = DaySum::default();
//! assert_eq!(sum.reserve("intent_1", "grok-image-video", &share), Ok(150_000));
//! // 0.5 USD are 250000 units: there is no room for another one.
//! assert!(sum.reserve("intent_2", "grok-image-video", &share).is_err());
//! sum.settle("intent_1", "grok-image-video", Settlement::Charged(100_000));
//! assert_eq!(sum.reserve("intent_2", "grok-image-video", &share), Ok(150_000));
//! # Ok::<(), junfeiai::Error>(())
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::price::{Estimate, Usd, amount};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::{Warning, WarningCode};
use crate::text::{days, decimal};

/// Seconds of a day.
pub const DAY: u64 = 24 * 3600;
/// The version of the text of a [`DaySum`].
const VERSION: u32 = 1;

/// The most that all create requests of one UTC day may cost together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayBudget {
    units: u64,
    /// Reserve the most that a request may cost, and refuse one of which that is not known.
    strict: bool,
}

impl DayBudget {
    /// A budget in USD.
    ///
    /// # Errors
    /// `config` for what is not an amount of money, and for less than one unit (0.000002 USD).
    pub fn new(usd: f64, strict: bool) -> Result<Self> {
        let units = amount(usd).filter(|units| *units > 0).ok_or_else(|| {
            let text =
                format!("budget must be a number of USD above 0, at most a billion, not {}", decimal::Decimal(usd));
            Error::config("budget", text)
        })?;
        Ok(Self { units, strict })
    }

    /// What a request of this price has to reserve; with a warning where that is not known.
    ///
    /// # Errors
    /// `invalid_request` naming `budget` when the price is not known, in a strict budget.
    pub fn share(&self, estimate: &Estimate) -> Result<(Reservation, Option<Warning>)> {
        let units = if self.strict { estimate.units_at_most } else { estimate.units };
        let why = || estimate.notes.join("; ");
        if units.is_none() && self.strict {
            let text = format!(
                "it is not known whether the request stays within budget, {} USD a day, and max_cost_strict is set: {}",
                Usd(self.units),
                why()
            );
            return Err(refused(text));
        }
        let warning = units.is_none().then(|| Warning {
            code: WarningCode::PriceUnknown,
            message: format!("budget could not be checked: the last known charge of the model counts: {}", why()),
        });
        let certainty = if self.strict { "at most" } else { estimate.certainty.name() };
        Ok((Reservation { limit: self.units, units, certainty }, warning))
    }
}

fn refused(text: String) -> Error {
    Error::field(ErrorKind::InvalidRequest, Phase::Create, "budget", text)
}

/// What one create request wants to reserve of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    limit: u64,
    units: Option<u64>,
    certainty: &'static str,
}

impl Reservation {
    /// A request that costs so many units; `None` when that is not known: the last charge of its model counts then, or nothing.
    pub fn new(budget: &DayBudget, units: Option<u64>) -> Self {
        Self { limit: budget.units, units, certainty: "exact" }
    }

    /// How many units to reserve when so much of the day's budget is used.
    ///
    /// # Errors
    /// [`Exceeded`] when the budget has no room for it.
    pub fn admit(&self, used: Used, last_charge: impl FnOnce() -> Option<u64>) -> std::result::Result<u64, Exceeded> {
        let cost = self.units.or_else(last_charge).unwrap_or_default();
        let sum = used.total().saturating_add(cost);
        if sum > self.limit { Err(Exceeded { used, cost }) } else { Ok(cost) }
    }

    /// The error of a request that the budget of this day has no room for.
    pub fn error(&self, day: u64, exceeded: Exceeded) -> Error {
        let Exceeded { used: Used { spent, reserved }, cost } = exceeded;
        let certainty = if self.units.is_some() { self.certainty } else { "last_charge" };
        refused(format!(
            "the request would cost {} USD (estimate: {certainty}), and {} USD are spent and {} USD reserved on the UTC day {}: \
             together more than budget, {} USD a day. Wait for the next UTC day, or raise budget",
            Usd(cost),
            Usd(spent),
            Usd(reserved),
            days::write(day),
            Usd(self.limit)
        ))
    }
}

/// How much of a day's budget is used, in units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// By charges that were seen and not returned.
    pub spent: u64,
    /// By the estimates of create requests whose charge was not seen yet.
    pub reserved: u64,
}

impl Used {
    /// Both.
    pub fn total(self) -> u64 {
        self.spent.saturating_add(self.reserved)
    }

    /// Adds the other.
    pub fn add(&mut self, other: Self) {
        self.spent = self.spent.saturating_add(other.spent);
        self.reserved = self.reserved.saturating_add(other.reserved);
    }
}

/// Why a create request is refused: the budget has no room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// How much is used.
    pub used: Used,
    /// What the request would cost.
    pub cost: u64,
}

/// What becomes of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The task was charged so many units.
    Charged(u64),
    /// Nothing was charged, or the charge was returned.
    Released,
}

/// What a record of a journal changes in the sum of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayChange {
    /// Days since 1970-01-01, UTC.
    pub day: u64,
    /// The journal's name for the create request.
    pub intent: String,
    /// The model asked for.
    pub model: String,
    /// What becomes of the reservation.
    pub settlement: Settlement,
}

/// The sum of one day, as a row of a store.
///
/// Each reservation has the name of its create request, so that settling one twice is the same as settling it once: whoever was
/// killed in between lets another do it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySum {
    v: u32,
    /// Units of what is settled.
    #[serde(default)]
    spent: u64,
    /// Units by create request.
    #[serde(default)]
    open: BTreeMap<String, u64>,
    /// The last charge by model.
    #[serde(default)]
    last: BTreeMap<String, u64>,
}

impl Default for DaySum {
    fn default() -> Self {
        Self { v: VERSION, spent: 0, open: BTreeMap::new(), last: BTreeMap::new() }
    }
}

impl DaySum {
    /// A sum that begins with what was used before it was kept, and the last charges that are known.
    pub fn begin(used: Used, last: BTreeMap<String, u64>) -> Self {
        Self { spent: used.total(), last, ..Self::default() }
    }

    /// Reads the text of a row.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> std::result::Result<Self, &'static str> {
        let sum: Self = serde_json::from_str(text).map_err(|_| "this is not the sum of a day")?;
        if sum.v == VERSION { Ok(sum) } else { Err("the sum was written by a later version of junfeiai") }
    }

    /// The text of the row.
    pub fn write(&self) -> String {
        // Plain data with text keys: there is nothing that JSON could refuse.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// How much is used.
    pub fn used(&self) -> Used {
        let reserved = self.open.values().fold(0, |sum: u64, units| sum.saturating_add(*units));
        Used { spent: self.spent, reserved }
    }

    /// Reserves what a create request costs. Gives how many units these are.
    ///
    /// # Errors
    /// [`Exceeded`] when the budget has no room for it.
    pub fn reserve(&mut self, intent: &str, model: &str, share: &Reservation) -> std::result::Result<u64, Exceeded> {
        let units = share.admit(self.used(), || self.last.get(model).copied())?;
        self.open.insert(short(intent).to_owned(), units);
        Ok(units)
    }

    /// Settles a reservation. One that is not there changes nothing: it was settled before, or nothing was reserved.
    pub fn settle(&mut self, intent: &str, model: &str, settlement: Settlement) {
        if self.open.remove(short(intent)).is_some()
            && let Settlement::Charged(units) = settlement
        {
            self.spent = self.spent.saturating_add(units);
            self.last.insert(model.to_owned(), units);
        }
    }
}

/// The part of a create request's name that is its own: what stands before it is the hash of a key.
fn short(intent: &str) -> &str {
    intent.rsplit('.').next().unwrap_or(intent)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MODEL: &str = "grok-image-video";

    fn share(usd: f64, units: impl Into<Option<u64>>) -> Reservation {
        Reservation::new(&DayBudget::new(usd, false).unwrap(), units.into())
    }

    #[test]
    fn a_budget_is_an_amount_above_zero() {
        for usd in [0.0, -0.0, -1.0, 5e-324, 1e-7, 1e10, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = DayBudget::new(usd, false).unwrap_err();
            assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::Config, Some("budget")), "{usd}");
        }
        for (usd, units) in [(0.000_002, 1), (0.3, 150_000), (1e9, 500_000_000_000_000)] {
            assert_eq!(DayBudget::new(usd, false).unwrap().units, units);
        }
    }

    #[test]
    fn what_fills_the_budget_to_the_unit_is_let_through_and_one_unit_more_is_not() {
        let mut sum = DaySum::default();
        assert_eq!(sum.reserve("a", MODEL, &share(0.3, 149_999)), Ok(149_999));
        let used = Used { spent: 0, reserved: 149_999 };
        assert_eq!(sum.reserve("b", MODEL, &share(0.3, 2)), Err(Exceeded { used, cost: 2 }));
        assert_eq!(sum.reserve("b", MODEL, &share(0.3, 1)), Ok(1));
        assert_eq!(sum.reserve("c", MODEL, &share(0.3, 0)), Ok(0));
        assert!(sum.reserve("d", MODEL, &share(0.3, u64::MAX)).is_err());
    }

    #[test]
    fn an_unknown_price_counts_as_the_last_charge_of_its_model() {
        let mut sum = DaySum::default();
        assert_eq!(sum.reserve("a", MODEL, &share(0.3, None)), Ok(0));
        sum.settle("a", MODEL, Settlement::Charged(100_000));
        assert_eq!(sum.reserve("b", "another", &share(0.3, None)), Ok(0));
        let used = Used { spent: 100_000, reserved: 0 };
        assert_eq!(sum.reserve("c", MODEL, &share(0.3, None)), Err(Exceeded { used, cost: 100_000 }));
        assert_eq!(sum.reserve("c", MODEL, &share(0.4, None)), Ok(100_000));
        // The row of the next day is told so.
        let mut next = DaySum::begin(Used::default(), sum.last.clone());
        assert_eq!(next.reserve("d", MODEL, &share(0.4, None)), Ok(100_000));
    }

    #[test]
    fn the_error_says_all_amounts_and_the_day() {
        let share = share(1.5, 150_000);
        let exceeded = Exceeded { used: Used { spent: 450_000, reserved: 300_000 }, cost: 150_000 };
        let error = share.error(20_786, exceeded);
        assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::InvalidRequest, Some("budget")));
        assert!(!error.maybe_executed());
        let text = &error.record().message;
        for part in ["cost 0.3 USD", "0.9 USD are spent", "0.6 USD reserved", "UTC day 2026-11-29", "1.5 USD a day"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn rows_of_others_are_errors() {
        for text in ["", "{}", "[]", r#"{"v":2}"#, r#"{"v":1,"spent":-1}"#] {
            assert!(DaySum::read(text).is_err(), "{text}");
        }
        // What a later version adds is passed over.
        let sum = DaySum::read(r#"{"v":1,"spent":5,"open":{"1f":7},"more":true}"#).unwrap();
        assert_eq!(sum.used(), Used { spent: 5, reserved: 7 });
        assert_eq!(DaySum::read(&sum.write()).unwrap(), sum);
    }

    proptest! {
        /// Against a list of what each request is: nothing is admitted beyond the budget, and settling is idempotent.
        #[test]
        fn the_sum_is_that_of_all_requests(
            limit in 1u64..1000,
            steps in prop::collection::vec((0u8..3, 0usize..12, 0u64..400), 0..80),
        ) {
            let budget = DayBudget { units: limit, strict: false };
            let (mut sum, mut model) = (DaySum::default(), BTreeMap::<String, (bool, u64)>::new());
            let mut estimated = true;
            for (kind, number, units) in steps {
                let intent = format!("ab12.{number}");
                let used: u64 = model.values().map(|(_, units)| *units).sum();
                match kind {
                    // Names are given once.
                    0 if !model.contains_key(&intent) => {
                        let admitted = sum.reserve(&intent, MODEL, &Reservation::new(&budget, Some(units)));
                        prop_assert_eq!(admitted.is_ok(), used + units <= limit);
                        if admitted.is_ok() {
                            model.insert(intent, (true, units));
                        }
                    }
                    0 => {}
                    kind => {
                        let charged = kind == 1;
                        let settlement = if charged { Settlement::Charged(units) } else { Settlement::Released };
                        sum.settle(&intent, MODEL, settlement);
                        if let Some(entry) = model.get_mut(&intent).filter(|entry| entry.0) {
                            let new = if charged { units } else { 0 };
                            estimated &= new <= entry.1;
                            *entry = (false, new);
                        }
                    }
                }
                let used: u64 = model.values().map(|(_, units)| *units).sum();
                prop_assert_eq!(sum.used().total(), used);
                // As long as no charge was above its estimate.
                prop_assert!(!estimated || used <= limit);
                prop_assert_eq!(DaySum::read(&sum.write()).unwrap(), sum.clone());
            }
        }
    }
}
