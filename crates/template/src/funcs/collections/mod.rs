//! Lists and maps: made, changed, merged, copied, compared.

mod copy;
mod dicts;
mod lists;
mod merge;

pub(super) use copy::deep_equal;
pub(super) use dicts::DICTS;
pub(super) use lists::LISTS;
