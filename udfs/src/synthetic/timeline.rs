//! When events happen: a rhythm of days and hours, with the bursts of attacks on top.
//!
//! The week is cut into minutes. Each minute has a mass, the share of all events that fall into
//! it: benign traffic by the hour of the day plus what each campaign adds. The time of an event
//! is the inverse of the cumulative mass at the event's position in (0, 1), so that times never
//! decrease from one event to the next.

use super::campaign::Campaign;

/// Minutes in a day.
pub(super) const DAY: usize = 24 * 60;

/// Minutes in the week that events span.
pub(super) const WEEK: usize = 7 * DAY;

/// Monday 2026-01-05 00:00:00 UTC in microseconds since 1970.
pub(super) const START: i64 = 1_767_571_200_000_000;

const MINUTE_MICROSECONDS: i64 = 60_000_000;

/// Benign activity at each full hour; in between it is interpolated.
const HOURS: [f64; 24] = [
    1.0, 0.8, 0.7, 0.7, 0.8, 1.2, 2.2, 4.5, 8.0, 10.0, 10.5, 10.0, 8.0, 9.0, 10.0, 9.5, 8.5, 6.5,
    4.5, 3.5, 3.0, 2.5, 1.8, 1.3,
];

/// Activity on Saturday and Sunday relative to a working day.
const WEEKEND: f64 = 0.35;

/// Times of events, and which campaigns are active then.
#[derive(Debug)]
pub(super) struct Timeline {
    /// Cumulative mass before each minute, and 1 at the end.
    cumulative: Vec<f64>,
    /// Per minute, the probability that an event there belongs to a campaign, cumulated.
    attacks: Vec<Vec<(f64, usize)>>,
}

impl Timeline {
    pub(super) fn new(campaigns: &[Campaign]) -> Self {
        let rhythm: Vec<f64> = (0..WEEK).map(activity).collect();
        let benign_share = 1.0 - campaigns.iter().map(|campaign| campaign.share).sum::<f64>();
        let scale = benign_share / rhythm.iter().sum::<f64>();
        let mut mass: Vec<f64> = rhythm.iter().map(|activity| activity * scale).collect();
        let mut attacks = vec![vec![]; WEEK];
        for (number, campaign) in campaigns.iter().enumerate() {
            let added = campaign.share / campaign.minutes.len() as f64;
            for &minute in &campaign.minutes {
                mass[minute] += added;
                attacks[minute].push((added, number));
            }
        }
        let mut cumulative = vec![0.0];
        let mut total = 0.0;
        for (mass, attacks) in mass.iter().zip(&mut attacks) {
            total += mass;
            cumulative.push(total);
            let mut probability = 0.0;
            for (added, _) in attacks {
                probability += *added / mass;
                *added = probability;
            }
        }
        cumulative[WEEK] = 1.0;
        Self { cumulative, attacks }
    }

    /// The minute in which `position` falls.
    pub(super) fn minute(&self, position: f64) -> usize {
        let after = self.cumulative.partition_point(|&mass| mass <= position);
        after.clamp(1, WEEK) - 1
    }

    /// The same, for a position at or after the start of minute `from`, and near it.
    pub(super) fn minute_from(&self, from: usize, position: f64) -> usize {
        let mut minute = from;
        while minute + 1 < WEEK && self.cumulative[minute + 1] <= position {
            minute += 1;
        }
        minute
    }

    /// Time of `position`, which falls into `minute`, in microseconds since 1970.
    pub(super) fn microseconds(&self, minute: usize, position: f64) -> i64 {
        let (low, high) = (self.cumulative[minute], self.cumulative[minute + 1]);
        let within = (position - low) / (high - low) * MINUTE_MICROSECONDS as f64;
        let within = (within as i64).clamp(0, MINUTE_MICROSECONDS - 1);
        START + minute as i64 * MINUTE_MICROSECONDS + within
    }

    /// The campaign that an event of `minute` belongs to, if any, for a uniform draw.
    pub(super) fn campaign(&self, minute: usize, draw: f64) -> Option<usize> {
        let attacks = &self.attacks[minute];
        attacks.iter().find(|(probability, _)| draw < *probability).map(|&(_, number)| number)
    }
}

/// Relative benign activity in a minute of the week.
fn activity(minute: usize) -> f64 {
    let (hour, within) = (minute / 60 % 24, (minute % 60) as f64 / 60.0);
    let activity = HOURS[hour] * (1.0 - within) + HOURS[(hour + 1) % 24] * within;
    if minute >= 5 * DAY { activity * WEEKEND } else { activity }
}
