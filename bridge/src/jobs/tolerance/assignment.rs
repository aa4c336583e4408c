//! Gives rows of one side to alike rows of the other, as many as possible.
//!
//! Invariant: among no more than [`CLUSTER_ROWS_MAX`] distinct rows nothing is left over that another assignment would
//! have placed.

use std::collections::BTreeMap;

/// Distinct rows among which an exact assignment is looked for; beyond them equals go first and neighbours next.
const CLUSTER_ROWS_MAX: usize = 1024;

/// What is left on both sides once as many as possible are given to one another: `left[i]` copies of row `i`
/// on one side, `right[j]` of row `j` on the other; rows are in the order of their values.
pub(super) fn assign(
    left: Vec<u64>,
    right: Vec<u64>,
    alike: impl Fn(usize, usize) -> bool,
) -> Vec<[u64; 2]> {
    let mut flow: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let mut rest: Vec<[u64; 2]> = left.into_iter().zip(right).map(|(l, r)| [l, r]).collect();
    let mut give = |rest: &mut Vec<[u64; 2]>, from: usize, to: usize| {
        let count = rest[from][0].min(rest[to][1]);
        rest[from][0] -= count;
        rest[to][1] -= count;
        if count > 0 {
            *flow.entry((from, to)).or_default() += count;
        }
    };
    (0..rest.len()).for_each(|row| give(&mut rest, row, row));
    // Neighbours: what is left is taken in the order of its values.
    let (mut from, mut to) = (0, 0);
    while from < rest.len() && to < rest.len() {
        if rest[from][0] == 0 {
            from += 1;
        } else if rest[to][1] == 0 {
            to += 1;
        } else if alike(from, to) {
            give(&mut rest, from, to);
        } else if from < to {
            from += 1;
        } else {
            to += 1;
        }
    }
    if rest.len() <= CLUSTER_ROWS_MAX {
        while let Some(path) = augmenting(&rest, &flow, &alike) {
            augment(&mut rest, &mut flow, &path);
        }
    }
    rest
}

/// A way from a row of the left that is left over to one of the right: `from, to, from, to, ..`, in which
/// each second step takes back what was given.
fn augmenting(
    rest: &[[u64; 2]],
    flow: &BTreeMap<(usize, usize), u64>,
    alike: &impl Fn(usize, usize) -> bool,
) -> Option<Vec<usize>> {
    let rows = rest.len();
    let mut reached: Vec<Option<usize>> = vec![None; rows];
    let mut came: Vec<Option<usize>> = vec![None; rows];
    let mut queue: Vec<usize> = (0..rows).filter(|row| rest[*row][0] > 0).collect();
    let mut next = 0;
    while let Some(from) = queue.get(next).copied() {
        next += 1;
        for to in (0..rows).filter(|to| alike(from, *to)) {
            if reached[to].is_some() {
                continue;
            }
            reached[to] = Some(from);
            if rest[to][1] > 0 {
                let mut path = vec![to, from];
                let mut at = from;
                while let Some(before) = came[at] {
                    path.push(before);
                    at = reached[before]?;
                    path.push(at);
                }
                path.reverse();
                return Some(path);
            }
            for back in (0..rows).filter(|back| flow.get(&(*back, to)).is_some_and(|f| *f > 0)) {
                if rest[back][0] == 0 && came[back].is_none() {
                    came[back] = Some(to);
                    queue.push(back);
                }
            }
        }
    }
    None
}

/// Moves one row along a way.
fn augment(rest: &mut [[u64; 2]], flow: &mut BTreeMap<(usize, usize), u64>, path: &[usize]) {
    if let (Some(from), Some(to)) = (path.first(), path.last()) {
        rest[*from][0] -= 1;
        rest[*to][1] -= 1;
    }
    for (step, pair) in path.windows(2).enumerate() {
        match step % 2 {
            0 => *flow.entry((pair[0], pair[1])).or_default() += 1,
            _ => {
                if let Some(given) = flow.get_mut(&(pair[1], pair[0])) {
                    *given -= 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_takes_back_what_stands_in_the_way() {
        // Row 0 is alike to 0 and 1, row 1 to 0 only: giving 0 to 0 would leave 1 over.
        let alike = |from: usize, to: usize| from == 0 || to == 0;
        assert_eq!(assign(vec![1, 1], vec![1, 1], alike), [[0, 0], [0, 0]]);
        let chain = |from: usize, to: usize| from.abs_diff(to) <= 1;
        assert_eq!(assign(vec![1, 1, 0], vec![1, 0, 1], chain), [[0; 2]; 3]);
        assert_eq!(assign(vec![0, 1, 1], vec![1, 1, 0], chain), [[0; 2]; 3]);
        let left = assign(vec![3, 0], vec![1, 1], |_, _| true);
        assert_eq!(left.iter().map(|counts| counts[0]).sum::<u64>(), 1);
    }
}
