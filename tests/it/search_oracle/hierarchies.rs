//! Resources that are part of others: `:above` and `:below` of references. Of the types made here only organizations have parts.
//!
//! Spec: R4 search.html#reference; docs/api/search.md#hierarchies-of-resources

use crate::search_oracle::criteria::criterion;
use crate::search_oracle::oracle::{Criterion, World};
use crate::search_oracle::parameters::{Parameter, Shape, own};
use crate::search_oracle::random::Random;
use crate::search_oracle::resources::EACH;

/// `:above` or `:below`
pub fn related(random: &mut Random, world: &World, type_name: &str, modifier: &str) -> Option<Criterion> {
    let of_organizations = |one: &&Parameter| {
        one.targets.contains(&"Organization") && one.paths.iter().all(|(_, shape)| *shape == Shape::Reference)
    };
    let parameters: Vec<&Parameter> = own(type_name).iter().filter(of_organizations).collect();
    let parameter = *(!parameters.is_empty()).then(|| random.pick(&parameters))?;
    let mut value = || {
        let number = random.below(EACH / 4 + 2);
        match random.below(5) {
            0 => format!("o{number}"),
            1 => format!("{}/Organization/o{number}", world.base),
            2 => format!("https://elsewhere.example/fhir/Organization/o{number}"),
            _ => format!("Organization/o{number}"),
        }
    };
    let values = (0..2).map(|_| value()).collect::<Vec<_>>();
    let kept = 1 + random.below(2);
    Some(criterion(parameter, modifier, values[..kept].to_vec()))
}

impl World {
    /// Whether a reference leads to what `value` names, or to a part of it (`below`) or what it is part of (`above`).
    pub fn is_part(&self, modifier: &str, stored: &str, value: &str) -> bool {
        let stored = self.target(stored);
        let value = if value.contains('/') { self.target(value) } else { format!("Organization/{value}") };
        let (part, whole) = if modifier == "below" { (stored, value) } else { (value, stored) };
        self.wholes(&part).contains(&whole)
    }

    /// The organization that a reference names, and all that it is part of.
    fn wholes(&self, part: &str) -> Vec<String> {
        let mut wholes = vec![part.to_owned()];
        while let Some(place) = self.place(&wholes[wholes.len() - 1]) {
            let Some(next) = self.resources[place]["partOf"]["reference"].as_str().map(|text| self.target(text)) else {
                break;
            };
            // A circle ends where it began.
            if wholes.contains(&next) {
                break;
            }
            wholes.push(next);
        }
        wholes
    }
}
