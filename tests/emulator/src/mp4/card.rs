//! The test card: colour bars, a running clock, a bar that fills as time passes, and a strip of identity colours.

use super::{FPS, h264::Colour};

/// The eight bars at 75 %, BT.709 limited range.
const BARS: [Colour; 8] = [
    [180, 128, 128],
    [168, 44, 136],
    [145, 147, 44],
    [134, 63, 52],
    [63, 193, 204],
    [51, 109, 212],
    [28, 212, 120],
    [16, 128, 128],
];
const INK: Colour = [235, 128, 128];
const PAPER: Colour = [16, 128, 128];
const FILL: Colour = [81, 90, 240];
const EMPTY: Colour = [50, 128, 128];

/// Digits as 3×5 cells, one row per entry, most significant bit left.
const DIGITS: [[u8; 5]; 10] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 7, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 1, 1, 1],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
];

/// What does not change from frame to frame.
#[derive(Debug)]
pub(crate) struct Card {
    columns: usize,
    rows: usize,
    background: Vec<Colour>,
    clock: Option<ClockFace>,
    frames: u32,
}

/// Place and size of the clock, in macroblocks.
#[derive(Debug, Clone, Copy)]
struct ClockFace {
    left: usize,
    top: usize,
    scale: usize,
    minutes: bool,
}

impl Card {
    /// Lays out a card of `columns` × `rows` macroblocks of which `width` × `height` pixels are shown.
    pub(crate) fn new(columns: usize, rows: usize, width: u32, height: u32, seconds: u32, identity: u64) -> Self {
        // A half-shown macroblock at the right or bottom edge carries nothing that must be read.
        let shown = ((width / 16).max(1) as usize, (height / 16).max(1) as usize);
        let mut background = vec![PAPER; columns * rows];
        for row in 0..rows {
            for column in 0..columns {
                background[row * columns + column] = if row == 0 {
                    identity_colour(identity, column)
                } else {
                    BARS[(column * BARS.len() / columns).min(BARS.len() - 1)]
                };
            }
        }
        let clock = ClockFace::fit(shown.0, shown.1);
        if let Some(face) = clock {
            let (cells_wide, cells_high) = face.cells();
            for y in 0..(cells_high + 2) * face.scale {
                for x in 0..(cells_wide + 2) * face.scale {
                    let row = face.top + y - face.scale;
                    let column = face.left + x - face.scale;
                    background[row * columns + column] = PAPER;
                }
            }
        }
        Self { columns, rows: shown.1.min(rows), background, clock, frames: seconds * FPS }
    }

    /// The picture at a second and a frame within it.
    pub(crate) fn picture(&self, second: u32, frame: u32) -> Vec<Colour> {
        let mut picture = self.background.clone();
        if let Some(face) = self.clock {
            for (cell_x, cell_y) in face.lit(second) {
                for y in 0..face.scale {
                    for x in 0..face.scale {
                        let row = face.top + cell_y * face.scale + y;
                        let column = face.left + cell_x * face.scale + x;
                        picture[row * self.columns + column] = INK;
                    }
                }
            }
        }
        let now = u64::from(second * FPS + frame + 1);
        let filled = (now * self.columns as u64 / u64::from(self.frames.max(1))) as usize;
        let bottom = (self.rows - 1) * self.columns;
        for column in 0..self.columns {
            picture[bottom + column] = if column < filled { FILL } else { EMPTY };
        }
        // One block that changes every frame, so that each single frame can be told from its neighbours.
        picture[bottom + self.columns - 1] = [16 + (frame * 219 / FPS) as u8, 128, 128];
        picture
    }
}

impl ClockFace {
    /// The largest face that fits with a margin: `MM:SS`, or only `SS` on narrow pictures.
    fn fit(columns: usize, rows: usize) -> Option<Self> {
        let room = rows.checked_sub(2)?;
        for minutes in [true, false] {
            let wide = if minutes { 19 } else { 9 };
            let scale = (columns / wide).min(room / 7);
            if scale > 0 {
                let scale = if scale > 2 { scale - 1 } else { scale };
                let face = Self { left: 0, top: 0, scale, minutes };
                let (cells_wide, cells_high) = face.cells();
                return Some(Self {
                    left: (columns - cells_wide * scale) / 2,
                    top: 1 + (room - cells_high * scale) / 2,
                    ..face
                });
            }
        }
        None
    }

    fn cells(self) -> (usize, usize) {
        (if self.minutes { 17 } else { 7 }, 5)
    }

    /// The cells that are lit at a second.
    fn lit(self, second: u32) -> Vec<(usize, usize)> {
        let mut lit = Vec::new();
        let mut digit = |value: u32, left: usize| {
            for (y, row) in DIGITS[value as usize % 10].iter().enumerate() {
                lit.extend((0..3).filter(|x| row >> (2 - x) & 1 == 1).map(|x| (left + x, y)));
            }
        };
        let (minute, second) = (second / 60, second % 60);
        if self.minutes {
            digit(minute / 10, 0);
            digit(minute, 4);
            digit(second / 10, 10);
            digit(second, 14);
            lit.extend([(8, 1), (8, 3)]);
        } else {
            digit(second / 10, 0);
            digit(second, 4);
        }
        lit
    }
}

/// Sixty-four bits as a row of colours, four bits each, repeated along the top edge.
fn identity_colour(identity: u64, column: usize) -> Colour {
    let nibble = (identity >> (4 * (column % 16))) as u8 & 15;
    [48 + nibble * 10, 88 + (nibble & 3) * 26, 88 + (nibble >> 2) * 26]
}

#[cfg(test)]
mod tests {
    use super::Card;

    #[test]
    fn the_clock_changes_every_second_at_every_size() {
        for (width, height) in [(1280u32, 720u32), (720, 1280), (854, 480), (640, 640), (160, 160)] {
            let (columns, rows) = (width.div_ceil(16) as usize, height.div_ceil(16) as usize);
            let card = Card::new(columns, rows, width, height, 20, 7);
            assert!(card.clock.is_some(), "{width}x{height}");
            for second in 0..19 {
                let changed = card
                    .picture(second, 0)
                    .iter()
                    .zip(card.picture(second + 1, 0))
                    .take((height / 16 - 1) as usize * columns)
                    .filter(|(a, b)| **a != *b)
                    .count();
                assert!(changed > 0, "{width}x{height} at {second}");
            }
        }
    }

    #[test]
    fn tiny_pictures_do_without_a_clock() {
        let card = Card::new(1, 1, 16, 16, 4, 7);
        assert_ne!(card.picture(0, 0), card.picture(0, 5));
    }
}
