//! Days of the calendar in UTC, as `YYYY-MM-DD`.

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;
/// Days of 400 years.
const ERA: i64 = 146_097;

/// A day, by its number since 1970-01-01. Years begin in March here, so that a leap day is the last of its year.
pub(crate) fn write(day: u64) -> String {
    let days = i64::try_from(day).unwrap_or(i64::MAX - EPOCH).saturating_add(EPOCH);
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let of_era_year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month_day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = of_era_year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{month_day:02}")
}

/// The number of a day from 1970-01-01 to 9999-12-31; `None` for any other text.
pub(crate) fn read(text: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let dashes = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    if !dashes || !(1..=12).contains(&month) || year < 1970 {
        return None;
    }
    let march_year = year - i64::from(month <= 2);
    let (era, of_era_year) = (march_year.div_euclid(400), march_year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era_year * 365 + of_era_year / 4 - of_era_year / 100 + of_year;
    let found = u64::try_from(era * ERA + of_era - EPOCH).ok()?;
    // A day that its month does not have is another day's number.
    (write(found) == text).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn days_are_those_of_the_calendar() {
        let known = [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_786, "2026-11-29"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
            (2_932_896, "9999-12-31"),
        ];
        for (day, text) in known {
            assert_eq!((write(day).as_str(), read(text)), (text, Some(day)));
        }
        for day in 0..200_000 {
            assert_eq!(read(&write(day)), Some(day));
        }
        let others = [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-01",
            "2026-01-1",
            "+026-01-01",
            "1969-12-31",
            "2026/01/01",
            "2026-04-31",
            "２026-01-01",
        ];
        for text in others {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
