//! Sorting by an order that may contradict itself.

use std::cmp::Ordering;

/// Up to this many elements are sorted by insertion.
const FEW: usize = 12;

/// Sorts stably. As the order of keys is not transitive for some of them, the standard library's
/// sort might panic here.
pub(super) fn sort<T: Clone>(list: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    if list.is_sorted_by(|a, b| compare(a, b) != Ordering::Greater) {
        return;
    }
    merge_sort(list, compare);
}

fn merge_sort<T: Clone>(list: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    if list.len() <= FEW {
        for end in 1..list.len() {
            let mut at = end;
            while at > 0 && compare(&list[at - 1], &list[at]) == Ordering::Greater {
                list.swap(at - 1, at);
                at -= 1;
            }
        }
        return;
    }
    let middle = list.len() / 2;
    merge_sort(&mut list[..middle], compare);
    merge_sort(&mut list[middle..], compare);
    let left = list[..middle].to_vec();
    let (mut from, mut right, mut at) = (0, middle, 0);
    while from < left.len() && right < list.len() {
        if compare(&left[from], &list[right]) == Ordering::Greater {
            list.swap(at, right);
            right += 1;
        } else {
            list[at] = left[from].clone();
            from += 1;
        }
        at += 1;
    }
    list[at..at + left.len() - from].clone_from_slice(&left[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_and_survives_contradictions() {
        let mut list: Vec<u32> = (0..1000).map(|n| (n * 7919) % 1000).collect();
        sort(&mut list, &|a, b| a.cmp(b));
        assert!(list.is_sorted() && list.len() == 1000);
        let mut pairs: Vec<(u32, u32)> = (0..100).map(|n| (n * 31 % 7, n)).collect();
        sort(&mut pairs, &|a, b| a.0.cmp(&b.0));
        assert!(pairs.is_sorted(), "it is stable");
        let stones = |a: &u32, b: &u32| (a % 3).cmp(&((b + 1) % 3));
        sort(&mut list, &stones);
        list.sort_unstable();
        assert!(list.iter().copied().eq(0..1000), "nothing is lost");
    }
}
