//! A wheel of whole notches, turned in parts of one.

/// What the page counts the wheel in.
const UNITS_PER_NOTCH: i32 = 120;
/// Most notches that one message turns the wheel by: a flick, not a flood.
const MAX_NOTCHES: i32 = 100;

/// A wheel whose parts of a notch are kept for those who know whole ones only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Notches(i32);

impl Notches {
    /// Whole notches after turning by so many units. Turning back forgets what was saved up.
    pub(crate) fn turn(&mut self, units: i32) -> i32 {
        if self.0.signum() * units.signum() < 0 {
            self.0 = 0;
        }
        let turned = self.0.saturating_add(units);
        self.0 = turned % UNITS_PER_NOTCH;
        (turned / UNITS_PER_NOTCH).clamp(-MAX_NOTCHES, MAX_NOTCHES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_notch_add_up() {
        let mut wheel = Notches::default();
        let turned: Vec<i32> = [40, 40, 40, 240, -10, -110, 30, 200]
            .map(|units| wheel.turn(units))
            .to_vec();
        assert_eq!(turned, [0, 0, 1, 2, 0, -1, 0, 1]);
    }

    #[test]
    fn turning_back_does_not_first_undo_what_was_saved_up() {
        let mut wheel = Notches::default();
        assert_eq!(wheel.turn(119), 0);
        assert_eq!(wheel.turn(-120), -1);
        assert_eq!(wheel.turn(i32::MAX), MAX_NOTCHES);
    }
}
