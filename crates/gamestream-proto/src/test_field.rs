//! The client's side of the erasure codes, with arithmetic of its own: solves for lost data shards.

/// Powers of two in GF(2^8), polynomial 0x11d, and their logarithms.
#[derive(Debug)]
pub(crate) struct Field {
    powers: [u8; 510],
    logarithms: [usize; 256],
}

impl Field {
    pub(crate) fn new() -> Self {
        let (mut powers, mut logarithms) = ([0; 510], [0; 256]);
        let mut power = 1u16;
        for exponent in 0..255 {
            powers[exponent] = power as u8;
            powers[exponent + 255] = power as u8;
            logarithms[usize::from(power)] = exponent;
            power <<= 1;
            if power > 255 {
                power ^= 0x11d;
            }
        }
        Self { powers, logarithms }
    }

    fn times(&self, a: u8, b: u8) -> u8 {
        if a == 0 || b == 0 {
            return 0;
        }
        self.powers[self.logarithms[usize::from(a)] + self.logarithms[usize::from(b)]]
    }

    fn inverse(&self, a: u8) -> u8 {
        assert_ne!(a, 0);
        self.powers[255 - self.logarithms[usize::from(a)]]
    }

    fn add_times(&self, to: &mut [u8], from: &[u8], factor: u8) {
        for (to, from) in to.iter_mut().zip(from) {
            *to ^= self.times(*from, factor);
        }
    }

    /// As [`Self::repair_with`], with the coefficients of video.
    pub(crate) fn repair(&self, shards: &mut [Option<Vec<u8>>], data: usize) {
        let parity = shards.len() - data;
        self.repair_with(shards, data, |row, column| {
            self.inverse(((parity + column) ^ row) as u8)
        });
    }

    /// Fills the gaps among the first `data` shards; the rest are parity. Needs as many shards as
    /// there is data, and the coefficient of each parity and data shard.
    pub(crate) fn repair_with(
        &self,
        shards: &mut [Option<Vec<u8>>],
        data: usize,
        factor: impl Fn(usize, usize) -> u8,
    ) {
        let parity = shards.len() - data;
        let lost: Vec<usize> = (0..data).filter(|&i| shards[i].is_none()).collect();
        let rows: Vec<usize> = (0..parity)
            .filter(|&j| shards[data + j].is_some())
            .collect();
        assert!(rows.len() >= lost.len(), "too few shards");
        // One equation a lost shard: the sum of the lost ones, and what it is.
        let mut equations: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for &row in &rows[..lost.len()] {
            let mut sum = shards[data + row].clone().expect("received");
            for (column, shard) in shards[..data].iter().enumerate() {
                if let Some(shard) = shard {
                    self.add_times(&mut sum, shard, factor(row, column));
                }
            }
            equations.push((
                lost.iter().map(|&column| factor(row, column)).collect(),
                sum,
            ));
        }
        for step in 0..lost.len() {
            let pivot = (step..lost.len()).find(|&row| equations[row].0[step] != 0);
            equations.swap(step, pivot.expect("a Cauchy matrix can be inverted"));
            let scale = self.inverse(equations[step].0[step]);
            let (factors, sum) = equations[step].clone();
            let scaled = |bytes: &[u8]| -> Vec<u8> {
                bytes.iter().map(|&byte| self.times(byte, scale)).collect()
            };
            let (factors, sum) = (scaled(&factors), scaled(&sum));
            for (row, equation) in equations.iter_mut().enumerate() {
                if row != step {
                    let times = equation.0[step];
                    self.add_times(&mut equation.0, &factors, times);
                    self.add_times(&mut equation.1, &sum, times);
                }
            }
            equations[step] = (factors, sum);
        }
        for (&column, (_, sum)) in lost.iter().zip(equations) {
            shards[column] = Some(sum);
        }
    }
}
