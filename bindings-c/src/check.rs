//! Checks of the service that create nothing.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;

use junfeiai::{Balance, CheckOptions, CheckReport, Estimate};

use crate::cancel::{jfai_cancel, token};
use crate::client::jfai_client;
use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::{guard, guard_or};
use crate::owned_c_str::OwnedCStr;
use crate::request::jfai_request;
use crate::status::jfai_status;

/// What a check found.
pub struct jfai_report {
    report: CheckReport,
    text: OwnedCStr,
    json: OwnedCStr,
}

/// The balance of a key. Its endpoint is optional: the service document does not have it.
pub struct jfai_balance {
    balance: Balance,
    name: OwnedCStr,
}

/// What a create request will cost. Not in the service document: observed.
pub struct jfai_estimate {
    estimate: Estimate,
    certainty: OwnedCStr,
    json: OwnedCStr,
}

/// A list of names.
pub struct jfai_names {
    names: Vec<OwnedCStr>,
}

impl jfai_names {
    pub(crate) fn new(names: &[String]) -> Box<Self> {
        Box::new(Self { names: names.iter().map(|name| OwnedCStr::new(name)).collect() })
    }
}

/// Checks every endpoint, the key, the clock, the proxy and the video host, and says what to do about each problem. Costs nothing and
/// creates nothing; problems are in the report. With `account` it queries the models and the balance, too: a server that reports
/// the balance allows 20 calls in 20 minutes. `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_check(
    client: Option<&jfai_client>,
    account: bool,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_report>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        let check = async { Ok(runtime.client().check_with(CheckOptions::default().account(account)).await) };
        let report = runtime.run(token(cancel).run(check))?;
        let (text, json) = (OwnedCStr::new(&report.to_string()), OwnedCStr::new(&report.to_json().to_string()));
        out.write(Box::new(jfai_report { report, text, json }));
        Ok(())
    })
}

/// True when tasks can be created, as far as can be known without creating one.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_report_ok(report: Option<&jfai_report>) -> bool {
    guard_or!(false => report.is_some_and(|report| report.report.ok))
}

/// The report as text, in several lines.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_report_text(report: Option<&jfai_report>) -> *const c_char {
    guard_or!(ptr::null() => report.map_or(ptr::null(), |report| report.text.pointer()))
}

/// The report as one JSON object.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_report_json(report: Option<&jfai_report>) -> *const c_char {
    guard_or!(ptr::null() => report.map_or(ptr::null(), |report| report.json.pointer()))
}

/// Frees a report. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_report_free(report: Option<Box<jfai_report>>) {
    guard_or!(() => drop(report));
}

/// The models that the key may use; `JFAI_ERR_NOT_OFFERED` when the server does not list them. `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_models(
    client: Option<&jfai_client>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_names>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        let models = runtime.run(token(cancel).run(runtime.client().models()))?;
        out.write(jfai_names::new(&models));
        Ok(())
    })
}

/// How many names there are. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_names_count(names: Option<&jfai_names>) -> usize {
    guard_or!(0 => names.map_or(0, |names| names.names.len()))
}

/// One of the names; NULL past the end.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_names_at(names: Option<&jfai_names>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => {
        names.and_then(|names| names.names.get(index)).map_or(ptr::null(), OwnedCStr::pointer)
    })
}

/// Frees a list of names. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_names_free(names: Option<Box<jfai_names>>) {
    guard_or!(() => drop(names));
}

/// The key's balance; `JFAI_ERR_NOT_OFFERED` when the server does not report it. It allows 20 calls in 20 minutes.
/// `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_get_balance(
    client: Option<&jfai_client>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_balance>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        let balance = runtime.run(token(cancel).run(runtime.client().balance()))?;
        let name = OwnedCStr::maybe(balance.name.as_deref());
        out.write(Box::new(jfai_balance { balance, name }));
        Ok(())
    })
}

/// The remaining balance, in USD, never below 0; `INFINITY` when the key has no limit, see `jfai_balance_unlimited`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_balance_available_usd(balance: Option<&jfai_balance>) -> f64 {
    guard_or!(0.0 => balance.map_or(0.0, |balance| balance.balance.available_usd.unwrap_or(f64::INFINITY)))
}

/// What was spent, in USD.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_balance_used_usd(balance: Option<&jfai_balance>) -> f64 {
    guard_or!(0.0 => balance.map_or(0.0, |balance| balance.balance.used_usd))
}

/// True when the key itself has no limit; the account's balance is still limited, and this call does not report it.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_balance_unlimited(balance: Option<&jfai_balance>) -> bool {
    guard_or!(false => balance.is_some_and(|balance| balance.balance.unlimited))
}

/// When the key expires, in unix seconds; -1 when it does not.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_balance_expires_at(balance: Option<&jfai_balance>) -> i64 {
    guard_or!(-1 => crate::time::unix_seconds(balance.and_then(|balance| balance.balance.expires_at)))
}

/// The key's name at the server, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_balance_name(balance: Option<&jfai_balance>) -> *const c_char {
    guard_or!(ptr::null() => balance.map_or(ptr::null(), |balance| balance.name.pointer()))
}

/// Frees a balance. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_balance_free(balance: Option<Box<jfai_balance>>) {
    guard_or!(() => drop(balance));
}

/// What jfai_create() with this request will cost. Creates nothing and costs nothing: checks the request, then reads the server's
/// price list and the key's log, each at most once in 15 minutes. Where the server does not tell, the cost is unknown, which is no
/// error. `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_get_estimate(
    client: Option<&jfai_client>,
    request: Option<&jfai_request>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_estimate>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        let jfai_request { request, setters } = need(request, "request")?.clone();
        let (videos, token) = (runtime.client().videos(), token(cancel));
        let estimate = runtime.run(token.run(videos.estimate(request))).map_err(|failure| setters.named(failure))?;
        let (certainty, json) =
            (OwnedCStr::new(estimate.certainty.name()), OwnedCStr::new(&estimate.to_json().to_string()));
        out.write(Box::new(jfai_estimate { estimate, certainty, json }));
        Ok(())
    })
}

/// The charge in the server's units (500000 = 1 USD); -1 when it is not known.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_estimate_units(estimate: Option<&jfai_estimate>) -> i64 {
    guard_or!(-1 => estimate.map_or(-1, |estimate| units(estimate.estimate.units)))
}

/// The charge in USD; -1 when it is not known.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_estimate_usd(estimate: Option<&jfai_estimate>) -> f64 {
    guard_or!(-1.0 => estimate.and_then(|estimate| estimate.estimate.usd).unwrap_or(-1.0))
}

/// How sure the charge is: `"exact"` to the unit; `"rounded"`, at most this; `"default_group"`, for the price group that is assumed
/// before the key's first charge; `"last_charge"`, as the last charge of this model; `"unknown"`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_estimate_certainty(estimate: Option<&jfai_estimate>) -> *const c_char {
    guard_or!(ptr::null() => estimate.map_or(ptr::null(), |estimate| estimate.certainty.pointer()))
}

/// The most that it can be in units by the listed prices, whatever the key's group; -1 without listed prices.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_estimate_units_at_most(estimate: Option<&jfai_estimate>) -> i64 {
    guard_or!(-1 => estimate.map_or(-1, |estimate| units(estimate.estimate.units_at_most)))
}

/// The seconds that the server will bill: 4 without a length, or with one that it cannot read.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_estimate_billed_seconds(estimate: Option<&jfai_estimate>) -> u64 {
    guard_or!(0 => estimate.map_or(0, |estimate| estimate.estimate.billed_seconds))
}

/// All of it as one JSON object, with the price per second, the ratios of size and group, and notes.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_estimate_json(estimate: Option<&jfai_estimate>) -> *const c_char {
    guard_or!(ptr::null() => estimate.map_or(ptr::null(), |estimate| estimate.json.pointer()))
}

/// Frees an estimate. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_estimate_free(estimate: Option<Box<jfai_estimate>>) {
    guard_or!(() => drop(estimate));
}

fn units(units: Option<u64>) -> i64 {
    units.and_then(|units| i64::try_from(units).ok()).unwrap_or(-1)
}
