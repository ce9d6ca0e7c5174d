//! A bit writer with the Exp-Golomb codes of H.264, and NAL unit framing.

/// Collects bits, most significant first.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl BitWriter {
    /// Appends the low `width` bits of `value` (at most 32).
    pub(crate) fn bits(&mut self, value: u32, width: u32) {
        self.pending = (self.pending << width) | u64::from(value);
        self.count += width;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
        }
        self.pending &= (1 << self.count) - 1;
    }

    /// Appends one flag.
    pub(crate) fn flag(&mut self, value: bool) {
        self.bits(u32::from(value), 1);
    }

    /// Appends an unsigned Exp-Golomb code.
    pub(crate) fn ue(&mut self, value: u32) {
        let code = value + 1;
        let width = 32 - code.leading_zeros();
        self.bits(0, width - 1);
        self.bits(code, width);
    }

    /// Appends a signed Exp-Golomb code.
    pub(crate) fn se(&mut self, value: i32) {
        let magnitude = value.unsigned_abs();
        self.ue(if value > 0 { 2 * magnitude - 1 } else { 2 * magnitude });
    }

    /// Ends the payload with the stop bit and returns the NAL unit: header byte, payload, emulation prevention.
    pub(crate) fn into_nal(mut self, header: u8) -> Vec<u8> {
        self.bits(1, 1);
        if self.count > 0 {
            let fill = 8 - self.count;
            self.bits(0, fill);
        }
        let mut nal = Vec::with_capacity(self.bytes.len() + 16);
        nal.push(header);
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros >= 2 && byte <= 3 {
                nal.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            nal.push(byte);
        }
        nal
    }
}

#[cfg(test)]
pub(crate) mod reader {
    //! The inverse of [`super::BitWriter`], for tests only.

    pub(crate) struct BitReader(Vec<u8>, usize);

    impl BitReader {
        /// Reads a NAL unit's payload after its header byte.
        pub(crate) fn of_nal(nal: &[u8]) -> Self {
            let mut payload = Vec::new();
            let mut zeros = 0;
            for &byte in &nal[1..] {
                if zeros >= 2 && byte == 3 {
                    zeros = 0;
                    continue;
                }
                zeros = if byte == 0 { zeros + 1 } else { 0 };
                payload.push(byte);
            }
            Self(payload, 0)
        }

        pub(crate) fn bits(&mut self, width: u32) -> u32 {
            (0..width).fold(0, |value, _| {
                let bit = self.0[self.1 / 8] >> (7 - self.1 % 8) & 1;
                self.1 += 1;
                value << 1 | u32::from(bit)
            })
        }

        pub(crate) fn ue(&mut self) -> u32 {
            let mut zeros = 0;
            while self.bits(1) == 0 {
                zeros += 1;
            }
            (1 << zeros) - 1 + self.bits(zeros)
        }

        pub(crate) fn se(&mut self) -> i32 {
            let code = self.ue().cast_signed();
            if code % 2 == 1 { (code + 1) / 2 } else { -code / 2 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BitWriter, reader::BitReader};

    #[test]
    fn codes_read_back_as_written() {
        let mut writer = BitWriter::default();
        for value in [0, 1, 2, 7, 8, 255, 3599, 65_535] {
            writer.ue(value);
        }
        for value in [0, 1, -1, 5, -6, 300, -300] {
            writer.se(value);
        }
        let mut reader = BitReader::of_nal(&writer.into_nal(0x67));
        for value in [0, 1, 2, 7, 8, 255, 3599, 65_535] {
            assert_eq!(reader.ue(), value);
        }
        for value in [0, 1, -1, 5, -6, 300, -300] {
            assert_eq!(reader.se(), value);
        }
    }

    #[test]
    fn emulation_prevention_keeps_start_codes_out() {
        let mut writer = BitWriter::default();
        for _ in 0..6 {
            writer.bits(0, 8);
        }
        let nal = writer.into_nal(0x65);
        assert_eq!(nal, [0x65, 0, 0, 3, 0, 0, 3, 0, 0, 0x80][..].to_vec());
    }
}
