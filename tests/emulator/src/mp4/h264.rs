//! The smallest useful H.264 coder: constrained baseline, every macroblock one flat colour.
//!
//! A changed macroblock is coded `I_16x16` and predicted from a flat neighbour, so one DC level per plane says all
//! that differs; an unchanged one is skipped. The quantiser is chosen so that a level of 1 is a step of exactly 1 in the
//! sample: `QP` 28 for luma and, by the chroma offset, 22 for chroma. What is drawn is what a decoder shows.

use super::bits::BitWriter;

/// Luma quantiser: dequantised DC level 1 = sample step 1.
const QP: i32 = 28;
/// Chroma works on 2×2 DC levels and reaches the same step six below.
const CHROMA_QP_OFFSET: i32 = -6;
/// `log2_max_frame_num`; a second has fewer than 256 frames.
const FRAME_NUM_BITS: u32 = 8;

/// One flat macroblock: Y, Cb, Cr.
pub(crate) type Colour = [u8; 3];

/// Codes pictures of one size, each relative to the one before.
#[derive(Debug)]
pub(crate) struct Coder {
    width: u32,
    height: u32,
    fps: u32,
    columns: usize,
    rows: usize,
    previous: Vec<Colour>,
    frame_num: u32,
    idr_pic_id: u32,
}

impl Coder {
    /// A coder for a displayed size in pixels (even numbers; 4:2:0 cannot crop to odd ones).
    pub(crate) fn new(width: u32, height: u32, fps: u32) -> Self {
        let columns = width.div_ceil(16) as usize;
        let rows = height.div_ceil(16) as usize;
        Self { width, height, fps, columns, rows, previous: Vec::new(), frame_num: 0, idr_pic_id: 0 }
    }

    /// Columns and rows of macroblocks.
    pub(crate) fn macroblocks(&self) -> (usize, usize) {
        (self.columns, self.rows)
    }

    /// `level_idc`: the lowest level whose picture size and speed suffice.
    pub(crate) fn level(&self) -> u8 {
        const LEVELS: [(u8, u32, u32); 12] = [
            (10, 99, 1_485),
            (11, 396, 3_000),
            (12, 396, 6_000),
            (13, 396, 11_880),
            (21, 792, 19_800),
            (22, 1_620, 20_250),
            (30, 1_620, 40_500),
            (31, 3_600, 108_000),
            (32, 5_120, 216_000),
            (40, 8_192, 245_760),
            (42, 8_704, 522_240),
            (50, 22_080, 589_824),
        ];
        let size = (self.columns * self.rows) as u32;
        let longest = self.columns.max(self.rows) as u32;
        LEVELS
            .iter()
            .find(|(_, frame, rate)| size <= *frame && size * self.fps <= *rate && longest * longest <= 8 * frame)
            .map_or(52, |(level, ..)| *level)
    }

    /// The sequence parameter set.
    pub(crate) fn sps(&self) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.bits(66, 8); // profile_idc: baseline
        w.bits(0b1100_0000, 8); // constraint_set0 and 1: constrained baseline
        w.bits(u32::from(self.level()), 8);
        w.ue(0); // seq_parameter_set_id
        w.ue(FRAME_NUM_BITS - 4);
        w.ue(2); // pic_order_cnt_type: output order is decoding order
        w.ue(1); // max_num_ref_frames
        w.flag(false); // gaps_in_frame_num_value_allowed
        w.ue(self.columns as u32 - 1);
        w.ue(self.rows as u32 - 1);
        w.flag(true); // frame_mbs_only
        w.flag(true); // direct_8x8_inference
        let crop_right = (self.columns as u32 * 16 - self.width) / 2;
        let crop_bottom = (self.rows as u32 * 16 - self.height) / 2;
        let cropped = crop_right + crop_bottom > 0;
        w.flag(cropped);
        if cropped {
            w.ue(0);
            w.ue(crop_right);
            w.ue(0);
            w.ue(crop_bottom);
        }
        w.flag(true); // vui_parameters_present
        w.flag(false); // aspect_ratio_info
        w.flag(false); // overscan_info
        w.flag(true); // video_signal_type
        w.bits(5, 3); // unspecified format
        w.flag(false); // limited range
        w.flag(true); // colour description: BT.709
        w.bits(1, 8);
        w.bits(1, 8);
        w.bits(1, 8);
        w.flag(false); // chroma_loc_info
        w.flag(true); // timing_info
        w.bits(1, 32);
        w.bits(self.fps * 2, 32);
        w.flag(true); // fixed_frame_rate
        w.flag(false); // nal_hrd
        w.flag(false); // vcl_hrd
        w.flag(false); // pic_struct
        w.flag(true); // bitstream_restriction: nothing is reordered, players need not wait
        w.flag(true);
        w.ue(0);
        w.ue(0);
        w.ue(16);
        w.ue(16);
        w.ue(0); // max_num_reorder_frames
        w.ue(1); // max_dec_frame_buffering
        w.into_nal(0x67)
    }

    /// The picture parameter set.
    pub(crate) fn pps() -> Vec<u8> {
        let mut w = BitWriter::default();
        w.ue(0); // pic_parameter_set_id
        w.ue(0); // seq_parameter_set_id
        w.flag(false); // CAVLC
        w.flag(false); // bottom_field_pic_order_in_frame_present
        w.ue(0); // one slice group
        w.ue(0); // num_ref_idx_l0_default_minus1
        w.ue(0);
        w.flag(false); // weighted_pred
        w.bits(0, 2); // weighted_bipred
        w.se(QP - 26);
        w.se(0);
        w.se(CHROMA_QP_OFFSET);
        w.flag(true); // deblocking_filter_control_present
        w.flag(false); // constrained_intra_pred
        w.flag(false); // redundant_pic_cnt_present
        w.into_nal(0x68)
    }

    /// Codes one picture as a single-slice NAL unit.
    pub(crate) fn frame(&mut self, picture: &[Colour], keyframe: bool) -> Vec<u8> {
        let mut w = BitWriter::default();
        w.ue(0); // first_mb_in_slice
        w.ue(if keyframe { 7 } else { 5 }); // slice_type: all I, all P
        w.ue(0);
        if keyframe {
            self.frame_num = 0;
            w.bits(0, FRAME_NUM_BITS);
            w.ue(self.idr_pic_id);
            self.idr_pic_id ^= 1; // neighbouring IDR pictures must differ
            w.flag(false); // no_output_of_prior_pics
            w.flag(false); // long_term_reference
        } else {
            self.frame_num += 1;
            w.bits(self.frame_num, FRAME_NUM_BITS);
            w.flag(false); // num_ref_idx_active_override
            w.flag(false); // ref_pic_list_modification
            w.flag(false); // adaptive_ref_pic_marking
        }
        w.se(0); // slice_qp_delta
        w.ue(1); // no deblocking: edges stay sharp and samples exact

        let mut skipped = 0;
        for index in 0..picture.len() {
            if !keyframe {
                if self.previous[index] == picture[index] {
                    skipped += 1;
                    continue;
                }
                w.ue(skipped);
                skipped = 0;
            }
            self.macroblock(&mut w, picture, index, keyframe);
        }
        if skipped > 0 {
            w.ue(skipped);
        }
        self.previous.clear();
        self.previous.extend_from_slice(picture);
        w.into_nal(if keyframe { 0x65 } else { 0x41 })
    }

    /// One `I_16x16` macroblock: which flat neighbour predicts it, and what is left over.
    fn macroblock(&self, w: &mut BitWriter, picture: &[Colour], index: usize, keyframe: bool) {
        let colour = picture[index];
        let left = (!index.is_multiple_of(self.columns)).then(|| picture[index - 1]);
        let above = (index >= self.columns).then(|| picture[index - self.columns]);
        // Luma modes: 0 vertical, 1 horizontal, 2 DC. Chroma modes: 0 DC, 1 horizontal, 2 vertical.
        let (luma_mode, chroma_mode, base) = match (left, above) {
            (Some(left), Some(above)) if left != colour && above == colour => (0, 2, above),
            (Some(left), _) => (1, 1, left),
            (None, Some(above)) => (0, 2, above),
            (None, None) => (2, 0, [128; 3]),
        };
        let rest = [0, 1, 2].map(|plane| i32::from(colour[plane]) - i32::from(base[plane]));
        let chroma = u32::from(rest[1] != 0 || rest[2] != 0);
        w.ue(1 + luma_mode + 4 * chroma + if keyframe { 0 } else { 5 });
        w.ue(chroma_mode);
        w.se(0); // mb_qp_delta
        dc_level(w, rest[0], false);
        if chroma == 1 {
            dc_level(w, rest[1], true);
            dc_level(w, rest[2], true);
        }
    }
}

/// A CAVLC block whose only coefficient is the first one.
fn dc_level(w: &mut BitWriter, level: i32, chroma: bool) {
    let magnitude = level.unsigned_abs();
    match (magnitude, chroma) {
        (0, false) => return w.bits(1, 1),
        (0, true) => return w.bits(0b01, 2),
        // coeff_token with one trailing one, then its sign
        (1, false) => w.bits(0b01, 2),
        (1, true) => w.bits(1, 1),
        (_, false) => w.bits(0b00_0101, 6),
        (_, true) => w.bits(0b00_0111, 6),
    }
    if magnitude == 1 {
        w.flag(level < 0);
    } else {
        // No trailing ones, so magnitudes start at 2 and the code is two lower.
        let code = 2 * magnitude - 4 + u32::from(level < 0);
        if code < 14 {
            w.bits(1, code + 1);
        } else if code < 30 {
            w.bits(1, 15);
            w.bits(code - 14, 4);
        } else {
            w.bits(1, 16);
            w.bits(code - 30, 12);
        }
    }
    w.bits(1, 1); // total_zeros = 0
}

#[cfg(test)]
mod tests {
    use super::{super::bits::reader::BitReader, Coder};

    #[test]
    fn sps_says_the_exact_size() {
        for (width, height, level) in [(1280, 720, 31), (720, 1280, 31), (854, 480, 30), (1920, 1080, 40), (16, 16, 10)]
        {
            let sps = Coder::new(width, height, 24).sps();
            assert_eq!(sps[..4], [0x67, 66, 0xC0, level], "{width}x{height}");
            let mut r = BitReader::of_nal(&sps);
            r.bits(24);
            assert_eq!(r.ue(), 0);
            assert_eq!(r.ue(), 4);
            assert_eq!(r.ue(), 2);
            assert_eq!(r.ue(), 1);
            assert_eq!(r.bits(1), 0);
            let coded = ((r.ue() + 1) * 16, (r.ue() + 1) * 16);
            assert_eq!(r.bits(2), 3);
            let mut crop = [0; 4];
            if r.bits(1) == 1 {
                crop = [r.ue(), r.ue(), r.ue(), r.ue()];
            }
            let shown = (coded.0 - 2 * (crop[0] + crop[1]), coded.1 - 2 * (crop[2] + crop[3]));
            assert_eq!(shown, (width, height));
        }
    }

    #[test]
    fn pps_is_cavlc_with_the_exact_quantisers() {
        let pps = Coder::pps();
        let mut r = BitReader::of_nal(&pps);
        assert_eq!((r.ue(), r.ue()), (0, 0));
        assert_eq!(r.bits(2), 0);
        assert_eq!((r.ue(), r.ue(), r.ue()), (0, 0, 0));
        assert_eq!(r.bits(3), 0);
        assert_eq!((r.se(), r.se(), r.se()), (2, 0, -6));
        assert_eq!(r.bits(3), 0b100);
    }

    #[test]
    fn an_unchanged_picture_is_one_skip_run() {
        let mut coder = Coder::new(1280, 720, 24);
        let picture = vec![[100, 90, 80]; 80 * 45];
        coder.frame(&picture, true);
        let frame = coder.frame(&picture, false);
        assert!(frame.len() < 12, "{} bytes", frame.len());
    }
}
