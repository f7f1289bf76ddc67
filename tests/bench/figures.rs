//! Percentiles, ratios and the report.
//!
//! Contract: a figure is a ratio of candidate to floor inside one run (performance.md's rule: machines are noisy), with its target.

/// A set of measurements in one unit.
#[derive(Debug, Clone, Default)]
pub struct Sample(pub Vec<f64>);

impl Sample {
    /// The value below which that share (0 to 1) lies; 0 for an empty sample.
    pub fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index into a small sample")]
        let index = (share * sorted.len() as f64) as usize;
        sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }

    /// The middle value.
    pub fn median(&self) -> f64 {
        self.percentile(0.5)
    }
}

/// One line of the report.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// The candidate's value, with unit in `unit`.
    pub value: f64,
    /// The floor's value, if it is a ratio.
    pub floor: Option<f64>,
    /// The unit of both.
    pub unit: &'static str,
    /// Target: the ratio (or, without a floor, the value) must be at most or at least this.
    pub target: Target,
}

/// What is aimed at.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// No more than.
    AtMost(f64),
    /// No less than.
    AtLeast(f64),
    /// Nothing: it is shown beside others.
    None,
}

impl Figure {
    /// A figure that is a ratio to a floor.
    pub fn ratio_of(what: &str, value: f64, floor: f64, unit: &'static str, target: Target) -> Self {
        Self { what: what.to_owned(), value, floor: Some(floor), unit, target }
    }

    /// A figure that stands for itself.
    pub fn plain(what: &str, value: f64, unit: &'static str, target: Target) -> Self {
        Self { what: what.to_owned(), value, floor: None, unit, target }
    }

    /// The ratio, or the value itself where there is no floor.
    pub fn ratio(&self) -> f64 {
        self.floor.map_or(self.value, |floor| if floor > 0.0 { self.value / floor } else { f64::INFINITY })
    }

    /// Whether the target is met.
    pub fn met(&self) -> bool {
        match self.target {
            Target::AtMost(most) => self.ratio() <= most,
            Target::AtLeast(least) => self.ratio() >= least,
            Target::None => true,
        }
    }
}

/// The median figure by ratio of each name over the rounds: a round may lack some.
pub fn median_of(rounds: &[Vec<Figure>]) -> Vec<Figure> {
    let mut names: Vec<&str> = Vec::new();
    for figure in rounds.iter().flatten() {
        if !names.contains(&figure.what.as_str()) {
            names.push(&figure.what);
        }
    }
    let median = |name: &str| {
        let mut same: Vec<&Figure> = rounds.iter().flatten().filter(|f| f.what == name).collect();
        same.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
        same.get(same.len() / 2).map(|f| (*f).clone())
    };
    names.into_iter().filter_map(median).collect()
}

/// Prints the report.
pub fn print(figures: &[Figure]) {
    println!("{:<66} {:>14} {:>11} {:>7}  {:<8} met", "what", "product", "floor", "ratio", "target");
    for f in figures {
        let floor = f.floor.map_or_else(|| "-".to_owned(), |v| format!("{v:.3}"));
        let ratio = if f.floor.is_some() { format!("{:.2}", f.ratio()) } else { "-".to_owned() };
        let (target, met) = match f.target {
            Target::AtMost(v) => (format!("<= {v}"), if f.met() { "yes" } else { "NO" }),
            Target::AtLeast(v) => (format!(">= {v}"), if f.met() { "yes" } else { "NO" }),
            Target::None => (String::new(), ""),
        };
        println!("{:<66} {:>10.3} {:<3} {floor:>11} {ratio:>7}  {target:<8} {met}", f.what, f.value, f.unit);
    }
}
