//! Criteria about other resources: chains, `_has` and `_list`.

use crate::search_oracle::oracle::{Criterion, World};
use crate::search_oracle::parameters::{Parameter, Shape, TYPES, own};
use crate::search_oracle::queries::{KINDS, Maker};
use crate::search_oracle::random::Random;

/// A chain that names the type of the target.
pub fn typed_chain(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let (parameter, target) = link(random, type_name)?;
    let rest = rest(random, world, target)?;
    Some(Criterion { name: format!("{}:{target}.{}", parameter.code, rest.name), ..rest })
}

/// A chain that leaves the type open; all types that have the parameter are asked.
pub fn open_chain(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let (parameter, target) = link(random, type_name)?;
    let rest = rest(random, world, target)?;
    // `_has` and `_filter` in it must fit every type.
    let fits = !parameter.targets.is_empty() && !["_has", "_filter"].iter().any(|name| rest.name.starts_with(name));
    fits.then(|| Criterion { name: format!("{}.{}", parameter.code, rest.name), ..rest })
}

/// Something that refers to it.
pub fn has(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let (source, parameters) = random.pick(TYPES);
    let parameter = random.pick(parameters);
    if !is_link(parameter) || !(parameter.targets.is_empty() || parameter.targets.contains(&type_name)) {
        return None;
    }
    let rest = rest(random, world, source)?;
    Some(Criterion { name: format!("_has:{source}:{}:{}", parameter.code, rest.name), ..rest })
}

pub fn listed(random: &mut Random, _: &World, _: &str) -> Option<Criterion> {
    let values = (0..1 + random.below(3)).map(|_| format!("l{}", random.below(80))).collect();
    Some(Criterion { name: "_list".to_owned(), values })
}

/// A reference of the type, and a type that it may lead to.
pub fn link(random: &mut Random, type_name: &str) -> Option<(&'static Parameter, &'static str)> {
    let parameter = random.pick(own(type_name));
    let target = random.pick(TYPES).0;
    let leads = parameter.targets.is_empty() || parameter.targets.contains(&target);
    (is_link(parameter) && leads).then_some((parameter, target))
}

fn is_link(parameter: &Parameter) -> bool {
    parameter.paths.iter().any(|(_, shape)| *shape == Shape::Reference)
}

/// More references in a row are not asked for: what a database plans grows with each.
const MOST_LINKS: usize = 3;

/// What the resource at the other end must meet; one time in five that is about yet another.
fn rest(random: &mut Random, world: &World, type_name: &str) -> Option<Criterion> {
    let further: [Maker; 3] = [typed_chain, open_chain, has];
    let own: Vec<Maker> = KINDS
        .iter()
        .map(|(_, make)| *make)
        .filter(|make| further.iter().all(|one| !std::ptr::fn_addr_eq(*one, *make)))
        .collect();
    let make = if random.percent(20) { *random.pick(&further) } else { *random.pick(&own) };
    let rest = (0..40).find_map(|_| make(random, world, type_name))?;
    let links = rest.name.matches('.').count() + rest.name.matches("_has:").count();
    (links < MOST_LINKS).then_some(rest)
}
