//! What a create request will cost, before it is sent: read from the server's price list and from one row of the key's log.
//!
//! The service charges `trunc(price × 500000 × group ratio) × seconds` units (observed), a wide size 1.666667 times as much.
//! It counts in floating-point numbers and its versions cut fractions off in different places. So an estimate is
//! called exact only where every way of counting gives the same number of units.
//!
//! ```
//! use junfeiai::protocol::{ApiResponse, PriceBook, PriceStep, Time, parse_prices};
//! use junfeiai::{Certainty, VideoRequest, transport::Headers};
//!
//! let now = Time::default();
//! let mut book = PriceBook::default();
//! assert!(matches!(book.step(now), PriceStep::Ask { .. }));
//! let list = r#"{"data":[{"model_name":"grok-image-video","quota_type":1,"model_price":0.05}],"group_ratio":{"default":1}}"#;
//! let answer = ApiResponse::new(200, Headers::new(), list);
//! book.input(now, Some(parse_prices(&answer)), None);
//! let PriceStep::Known(facts) = book.step(now) else { panic!() };
//! let estimate = facts.estimate(&VideoRequest::new("A red ball").seconds(6).prepare()?);
//! assert_eq!((estimate.units, estimate.certainty), (Some(150_000), Certainty::DefaultGroup));
//! # Ok::<(), junfeiai::Error>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::account::if_offered;
use super::query::text;
use super::usage_log::{RowKind, UsageLog};
use super::wire::{ApiResponse, classify, unreadable};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::{Prepared, Warning, WarningCode};
use crate::text::decimal;
use crate::text::json;
use crate::time::Time;

/// Units of one USD (observed).
const UNITS: u128 = 500_000;
/// Parts of one in a [`Fixed`].
const ONE: u128 = 1_000_000_000_000;
/// How long a price list and a group are believed. `/api/…` allows 20 calls in 20 minutes (observed).
const KEEP: Duration = Duration::from_secs(15 * 60);
/// How long nothing is asked for after a 429 of these paths that names no time (observed: 20 minutes).
const QUIET: Duration = Duration::from_secs(20 * 60);
/// How long nothing is asked for after a failure that says nothing about prices, such as a broken connection. At this pace both
/// paths stay within their limit.
const RETRY: Duration = Duration::from_secs(3 * 60);
/// How often a call looks whether another one has the answer.
const LOOK: Duration = Duration::from_millis(50);
/// Whoever asks has his answers sooner, unless nobody polls him at the moment: then another asks.
const ASKING: Duration = Duration::from_secs(15);
/// The two sizes that cost more, and how much more (observed).
const WIDE_SIZES: [&str; 2] = ["1792x1024", "1024x1792"];
const WIDE: Fixed = Fixed { parts: 1_666_667_000_000, float: 1.666_667 };
const PLAIN: Fixed = Fixed { parts: ONE, float: 1.0 };
/// What is read, in words.
const PRICES: &str = "its prices";

/// How sure an estimate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Certainty {
    /// The listed price for the key's group, which the key's log names: the charge to the unit.
    Exact,
    /// The same, but versions of the service round it differently: the charge is at most this, and a few units less at the
    /// least.
    Rounded,
    /// The listed price for the group `default`: the key's own group is not known before its first charge.
    DefaultGroup,
    /// What the key was charged for the same model last: the prices are hidden, or changed since.
    LastCharge,
    /// Neither the prices nor a charge of this model are known.
    Unknown,
}

impl Certainty {
    /// The stable name, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Rounded => "rounded",
            Self::DefaultGroup => "default_group",
            Self::LastCharge => "last_charge",
            Self::Unknown => "unknown",
        }
    }
}

/// What a create request will cost. Beyond the service document: observed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The charge in the server's units (500000 = 1 USD); `None` when it is not known.
    pub units: Option<u64>,
    /// The same in USD.
    pub usd: Option<f64>,
    /// How sure that is.
    pub certainty: Certainty,
    /// The most it can be in units by the listed prices, whatever the key's group; `None` when no prices are listed.
    pub units_at_most: Option<u64>,
    /// The seconds that the server will bill. Without a length, or with one that it cannot read, these are 4.
    pub billed_seconds: u64,
    /// USD for one second of video before the group's ratio.
    pub price_per_second: Option<f64>,
    /// What the size multiplies the price by: 1.666667 for `1792x1024` and `1024x1792`, 1 for all others.
    pub size_ratio: f64,
    /// The key's group, where its log names it.
    pub group: Option<String>,
    /// What the group multiplies the price by.
    pub group_ratio: Option<f64>,
    /// What the caller should know of it, a line each.
    pub notes: Vec<String>,
}

impl Estimate {
    /// All of it as JSON.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.units {
            Some(units) => write!(f, "{} USD ({units} units", Usd(units))?,
            None => f.write_str("unknown (no price")?,
        }
        write!(f, ", {} s, {})", self.billed_seconds, self.certainty.name())
    }
}

/// Units as USD, to the last digit.
pub(crate) struct Usd(pub(crate) u64);

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, units) = (u128::from(self.0) / UNITS, u128::from(self.0) % UNITS);
        // One unit is two millionths.
        let text = format!("{whole}.{:06}", units * 2);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A number of a price list: as the decimal that stands there, and as the floating-point number that the server counts with.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fixed {
    parts: u128,
    float: f64,
}

impl Fixed {
    /// Reads a number from 0 to a billion with at most twelve places.
    fn read(value: &Value) -> Option<Self> {
        let number = value.as_number()?;
        let float = number.as_f64().filter(|float| (0.0..=1e9).contains(float))?;
        let text = json::write(value);
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text.as_str(), 0),
        };
        let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
        let places = places.trim_end_matches('0');
        let all: u128 = format!("{whole}{places}").parse().ok()?;
        let shift = 12 + exponent - i32::try_from(places.len()).ok()?;
        let power = 10u128.checked_pow(shift.unsigned_abs())?;
        let parts = if shift >= 0 {
            all.checked_mul(power)?
        } else if all.is_multiple_of(power) {
            all / power
        } else {
            return None;
        };
        (parts <= ONE * 1_000_000_000).then_some(Self { parts, float })
    }
}

/// Least and most units that the service's ways of counting come to.
fn units(price: Fixed, group: Fixed, size: Fixed, seconds: u64) -> Option<(u64, u64)> {
    let exact = price.parts.checked_mul(group.parts)?.checked_mul(UNITS)? / ONE / ONE;
    let float = (price.float * UNITS as f64 * group.float).trunc() as u128;
    let (mut least, mut most) = (u128::MAX, 0);
    for second in [exact, float] {
        let whole = second.checked_mul(u128::from(seconds))?;
        let older = whole.checked_mul(size.parts)? / ONE;
        let newer = (second.checked_mul(size.parts)? / ONE).checked_mul(u128::from(seconds))?;
        let older_float = (second as f64 * seconds as f64 * size.float).trunc() as u128;
        let newer_float = ((second as f64 * size.float).trunc() as u128).checked_mul(u128::from(seconds))?;
        for way in [older, newer, older_float, newer_float] {
            least = least.min(way);
            most = most.max(way);
        }
    }
    // Beyond, floating-point numbers are not exact any more, and no video costs as much.
    (most < 1 << 53).then_some(())?;
    Some((u64::try_from(least).ok()?, u64::try_from(most).ok()?))
}

/// The server's prices.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PriceList {
    /// USD per second by model; `None` where the model is billed in another way.
    models: BTreeMap<String, Option<Fixed>>,
    groups: BTreeMap<String, Fixed>,
}

/// What a key was charged for last, and as which group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Charges {
    /// Group and ratio of the newest charge.
    group: Option<(Option<String>, Fixed)>,
    /// Price and ratio of the newest charge of each model.
    models: BTreeMap<String, (Fixed, Fixed)>,
}

/// Reads the answer to `GET /api/pricing`.
///
/// # Errors
/// `not_offered` when the server has no such list; `permission_denied` when it hides it; any other error of the server.
pub fn parse_prices(answer: &ApiResponse) -> Result<PriceList> {
    if let Some(error) = classify(Phase::Check, answer) {
        return Err(if_offered(error, PRICES));
    }
    let list = answer.json().and_then(|body| {
        let rows = body.get("data")?.as_array()?;
        let models = rows.iter().filter_map(|row| {
            let price = (row.get("quota_type")?.as_u64() == Some(1)).then(|| Fixed::read(row.get("model_price")?));
            Some((text(row, "model_name")?, price.flatten()))
        });
        let groups = body.get("group_ratio")?.as_object()?;
        let groups = groups.iter().filter_map(|(name, ratio)| Some((name.clone(), Fixed::read(ratio)?)));
        Some(PriceList { models: models.collect(), groups: groups.collect() })
    });
    list.ok_or_else(|| if_offered(unreadable(Phase::Check, answer, "not what was asked for"), PRICES))
}

impl From<&UsageLog> for Charges {
    /// The newest row goes first; rows without a price per second are of other calls.
    fn from(log: &UsageLog) -> Self {
        let fixed = |number: Option<f64>| Fixed::read(&Value::from(number?));
        let mut charges = Self::default();
        for row in log.rows.iter().filter(|row| row.kind == RowKind::Charge) {
            let (Some(price), Some(ratio)) = (fixed(row.model_price), fixed(row.group_ratio)) else { continue };
            if charges.group.is_none() {
                charges.group = Some((row.group.clone(), ratio));
            }
            if let Some(model) = &row.model {
                charges.models.entry(model.clone()).or_insert((price, ratio));
            }
        }
        charges
    }
}

/// What is known of prices at a moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PriceFacts {
    list: Option<PriceList>,
    charges: Charges,
    /// Why there is no list.
    why_not: Option<String>,
}

impl PriceFacts {
    /// What this request will cost.
    pub fn estimate(&self, request: &Prepared) -> Estimate {
        let billed = &request.billed;
        let wide = billed.size.as_deref().is_some_and(|size| WIDE_SIZES.contains(&size));
        let size = if wide { WIDE } else { PLAIN };
        let mut estimate = Estimate {
            units: None,
            usd: None,
            certainty: Certainty::Unknown,
            units_at_most: None,
            billed_seconds: billed.seconds,
            price_per_second: None,
            size_ratio: size.float,
            group: self.charges.group.as_ref().and_then(|(name, _)| name.clone()),
            group_ratio: None,
            notes: billed.note.iter().cloned().collect(),
        };
        if wide {
            let size = billed.size.as_deref().unwrap_or_default();
            estimate
                .notes
                .push(format!("the size {size} costs {} times as much as others", decimal::Decimal(WIDE.float)));
        }
        if !self.by_list(request, size, &mut estimate) {
            self.by_charge(request, size, &mut estimate);
        }
        estimate.usd = estimate.units.map(|units| units as f64 / UNITS as f64);
        estimate
    }

    fn by_list(&self, request: &Prepared, size: Fixed, estimate: &mut Estimate) -> bool {
        let model = &request.model;
        let Some(list) = &self.list else {
            let why = self.why_not.as_deref().unwrap_or("they were not asked for");
            estimate.notes.push(format!("the server's prices are not known: {why}"));
            return false;
        };
        let price = match list.models.get(model) {
            Some(Some(price)) => *price,
            Some(None) => {
                estimate.notes.push(format!("the server does not bill {model} by a price per second"));
                return false;
            }
            None => {
                estimate.notes.push(format!("the server lists no price of {model}"));
                return false;
            }
        };
        let seconds = request.billed.seconds;
        let cost = |ratio: Fixed| units(price, ratio, size, seconds);
        let (ratio, mut certainty) = match &self.charges.group {
            Some((name, ratio)) => {
                let listed = name.as_ref().and_then(|name| list.groups.get(name));
                let agreed = listed.is_some_and(|listed| listed.parts == ratio.parts);
                if !agreed {
                    let text = "the group's ratio of the last charge is not the listed one, which may have changed";
                    estimate.notes.push(text.to_owned());
                }
                (*ratio, if agreed { Certainty::Exact } else { Certainty::LastCharge })
            }
            None => match list.groups.get("default") {
                Some(ratio) => {
                    let text =
                        "the key's group is not known before its first charge: the ratio of \"default\" is assumed";
                    estimate.notes.push(text.to_owned());
                    (*ratio, Certainty::DefaultGroup)
                }
                None => return false,
            },
        };
        let Some((least, most)) = cost(ratio) else { return false };
        if least != most {
            let text = format!("versions of the service round it differently: at least {least} units");
            estimate.notes.push(text);
            if certainty == Certainty::Exact {
                certainty = Certainty::Rounded;
            }
        }
        estimate.units = Some(most);
        estimate.units_at_most = if matches!(certainty, Certainty::Exact | Certainty::Rounded) {
            Some(most)
        } else {
            list.groups.values().filter_map(|ratio| cost(*ratio)).map(|(_, most)| most).chain([most]).max()
        };
        estimate.certainty = certainty;
        estimate.price_per_second = Some(price.float);
        estimate.group_ratio = Some(ratio.float);
        true
    }

    fn by_charge(&self, request: &Prepared, size: Fixed, estimate: &mut Estimate) {
        let Some((price, ratio)) = self.charges.models.get(&request.model) else { return };
        let Some((_, most)) = units(*price, *ratio, size, request.billed.seconds) else { return };
        estimate.units = Some(most);
        estimate.certainty = Certainty::LastCharge;
        estimate.price_per_second = Some(price.float);
        estimate.group_ratio = Some(ratio.float);
        estimate.notes.push("the price of the last charge of this model is taken".to_owned());
    }
}

/// USD from 0 to a billion in units; `None` for what is no amount of money.
pub(super) fn amount(usd: f64) -> Option<u64> {
    // The decimal that the caller wrote, whatever the nearest floating-point number is.
    let shortened = (usd * 1e6).round() / 1e6;
    let fixed = Fixed::read(&Value::from(usd)).or_else(|| Fixed::read(&Value::from(shortened)).filter(|_| usd >= 0.0));
    u64::try_from(fixed?.parts.checked_mul(UNITS)? / ONE).ok()
}

/// The most that one create request may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostLimit {
    units: u64,
    /// Refuse what is not known to be within the limit.
    strict: bool,
}

impl CostLimit {
    /// A limit in USD.
    ///
    /// # Errors
    /// `config` for what is not an amount of money.
    pub fn new(usd: f64, strict: bool) -> Result<Self> {
        let refuse = || {
            let text = format!("max_cost must be a number of USD from 0 to a billion, not {}", decimal::Decimal(usd));
            Error::config("max_cost", text)
        };
        Ok(Self { units: amount(usd).ok_or_else(refuse)?, strict })
    }

    /// Judges an estimate; a warning where the request goes through although its price is not known.
    ///
    /// # Errors
    /// `invalid_request` naming `max_cost` when the request would cost more, or, with `max_cost_strict`, may cost more.
    pub fn judge(&self, estimate: &Estimate) -> Result<Option<Warning>> {
        let limit = Usd(self.units);
        let refuse = |text: String| Err(Error::field(ErrorKind::InvalidRequest, Phase::Create, "max_cost", text));
        let certainty = estimate.certainty.name();
        if let Some(units) = estimate.units.filter(|units| *units > self.units) {
            return refuse(format!(
                "the request would cost {} USD (estimate: {certainty}), more than max_cost, {limit} USD",
                Usd(units)
            ));
        }
        if self.strict {
            match estimate.units_at_most {
                Some(most) if most <= self.units => {}
                Some(most) => {
                    return refuse(format!(
                        "the request may cost up to {} USD, more than max_cost, {limit} USD: the key's group is not known",
                        Usd(most)
                    ));
                }
                None => {
                    let why = estimate.notes.join("; ");
                    return refuse(format!(
                        "it is not known whether the request costs at most max_cost, {limit} USD, and max_cost_strict is set: {why}"
                    ));
                }
            }
        }
        Ok(estimate.units.is_none().then(|| Warning {
            code: WarningCode::PriceUnknown,
            message: format!("max_cost could not be checked: {}", estimate.notes.join("; ")),
        }))
    }
}

/// What comes next.
#[derive(Debug)]
pub enum PriceStep {
    /// This is known.
    Known(Arc<PriceFacts>),
    /// Ask the server, then call [`PriceBook::input`], or [`PriceBook::dropped`].
    Ask {
        /// For the prices.
        list: bool,
        /// For the key's log.
        log: bool,
    },
    /// Another call is asking: look again then.
    WaitUntil(Time),
}

/// The prices that a client knows, and when it asks again: each list once in 15 minutes, or 3 after a failure that says nothing
/// about it.
#[derive(Debug, Default)]
pub struct PriceBook {
    facts: Arc<PriceFacts>,
    next_list: Option<Time>,
    next_log: Option<Time>,
    /// Since when somebody asks.
    asking: Option<Time>,
    /// The server asked for a pause.
    limited: bool,
    /// The log was asked for once more after the first charge.
    looked_again: bool,
}

impl PriceBook {
    /// What to do at this time.
    pub fn step(&mut self, now: Time) -> PriceStep {
        let due = |next: Option<Time>| next.is_none_or(|next| now >= next);
        let (list, log) = (due(self.next_list), due(self.next_log));
        if !list && !log {
            return PriceStep::Known(self.facts.clone());
        }
        if self.asking.is_some_and(|since| now.since(since) < ASKING) {
            return PriceStep::WaitUntil(now + LOOK);
        }
        self.asking = Some(now);
        PriceStep::Ask { list, log }
    }

    /// What the server said to what was asked for.
    pub fn input(&mut self, now: Time, list: Option<Result<PriceList>>, log: Option<Result<UsageLog>>) {
        self.asking = None;
        let mut facts = PriceFacts::clone(&self.facts);
        let limited =
            [list.as_ref().and_then(|told| told.as_ref().err()), log.as_ref().and_then(|told| told.as_ref().err())]
                .into_iter()
                .flatten()
                .find(|error| error.kind() == ErrorKind::RateLimited);
        // All of these paths share one bucket.
        let quiet = limited.map(|error| error.retry_after().unwrap_or(QUIET).max(KEEP));
        self.limited = quiet.is_some();
        // How long what came of a question is kept.
        let keep = |error: Option<&Error>| match error.map(Error::kind) {
            None | Some(ErrorKind::PermissionDenied | ErrorKind::NotOffered | ErrorKind::Authentication) => KEEP,
            Some(_) => RETRY,
        };
        let keeps = [
            keep(list.as_ref().and_then(|told| told.as_ref().err())),
            keep(log.as_ref().and_then(|told| told.as_ref().err())),
        ];
        match list {
            Some(Ok(list)) => (facts.list, facts.why_not) = (Some(list), None),
            // A limit says nothing about prices: what was known of them is still the best guess.
            Some(Err(error)) if error.kind() == ErrorKind::RateLimited && facts.list.is_some() => {}
            Some(Err(error)) => {
                facts.list = None;
                facts.why_not = Some(match error.kind() {
                    ErrorKind::PermissionDenied => "the operator hides them".to_owned(),
                    ErrorKind::RateLimited => "they were asked for too often".to_owned(),
                    _ => error.record().message.clone(),
                });
            }
            None => {}
        }
        if let Some(Ok(log)) = log {
            facts.charges = Charges::from(&log);
        }
        self.facts = Arc::new(facts);
        for (next, keep) in [&mut self.next_list, &mut self.next_log].into_iter().zip(keeps) {
            match quiet {
                Some(quiet) => *next = Some(next.unwrap_or(now).max(now + quiet)),
                None if next.is_none_or(|next| now >= next) => *next = Some(now + keep),
                None => {}
            }
        }
    }

    /// Whoever was told to ask has gone.
    pub fn dropped(&mut self) {
        self.asking = None;
    }

    /// A create was charged: the key's log may name its group now.
    pub fn charged(&mut self) {
        if self.facts.charges.group.is_none() && !self.looked_again && !self.limited && self.next_log.is_some() {
            self.looked_again = true;
            self.next_log = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of a stream whose reader is busy, for example.
    #[test]
    fn another_asks_when_the_first_does_not_come_back() {
        let at = |seconds| Time::from_start(Duration::from_secs(seconds));
        let mut book = PriceBook::default();
        assert!(matches!(book.step(at(0)), PriceStep::Ask { list: true, log: true }));
        assert!(matches!(book.step(at(10)), PriceStep::WaitUntil(_)));
        assert!(matches!(book.step(at(20)), PriceStep::Ask { list: true, log: true }));
        assert!(matches!(book.step(at(21)), PriceStep::WaitUntil(_)));
    }
}
