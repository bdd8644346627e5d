use super::*;
use crate::rollup::numbers::put_buckets;
use crate::rollup::sketch::tests::numbers;

#[test]
fn every_value_lies_in_its_bucket_and_within_one_percent_of_its_middle() {
    let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
    for value in edges.chain(numbers(1, 10_000)).chain([u64::MAX]) {
        let bucket = bucket_of(value);
        let (lower, width) = bounds_of(bucket);
        assert!(bucket < BUCKETS && lower <= value && value - lower < width, "{value}: {bucket} {lower} {width}");
        assert!(middle_of(bucket).abs_diff(value) as f64 <= value as f64 / 128.0, "{value}");
    }
    assert!((1..BUCKETS).all(|bucket| bounds_of(bucket - 1).0 + bounds_of(bucket - 1).1 == bounds_of(bucket).0));
}

#[test]
fn nothing_is_left_of_what_was_taken_off() {
    for seed in 0..40 {
        let values = numbers(seed, 40 + usize::try_from(seed * seed).unwrap());
        let (kept, gone) = values.split_at(values.len() / 3);
        let of = |values: &[u64]| {
            let mut buckets = Buckets::default();
            values.iter().for_each(|value| buckets.add(bucket_of(*value), 1));
            buckets
        };
        let mut all = of(&values);
        assert!(gone.iter().all(|value| all.remove(bucket_of(*value), 1)));
        assert_eq!((all.count(), all.quantile(0.5), &all), (kept.len() as u64, of(kept).quantile(0.5), &of(kept)));
        assert!(!all.remove(bucket_of(kept[0]), 1_000));
        assert_eq!(Buckets::from_parts(all.iter().collect()), Some(all));
    }
}

#[test]
fn packed_ones_are_the_same_and_what_is_none_is_refused() {
    for seed in 0..40 {
        let values = numbers(seed, usize::try_from(seed * seed).unwrap());
        let mut all = Buckets::default();
        values.iter().for_each(|value| all.add(bucket_of(*value), 1));
        let mut written = Vec::new();
        put_buckets(&mut written, all.iter());
        written.push(7);
        let mut reader = Reader::new(&written);
        let mut read = Buckets::read(&mut reader).unwrap();
        assert_eq!((&read, read.count(), reader.left()), (&all, all.count(), 1));
        let mut packed = all.clone();
        packed.pack();
        assert_eq!((&packed, packed.heap_bytes()), (&all, read.heap_bytes()));
        let (mut sum, mut empty) = (all.clone(), Buckets::default());
        sum.merge(&read);
        empty.merge(&read);
        assert_eq!((sum.count(), &empty), (all.count() * 2, &all));
        for value in &values {
            read.add(bucket_of(*value), 1);
            assert!(packed.remove(bucket_of(*value), 1));
        }
        assert_eq!((read, packed.count()), (sum, 0));
    }
    // How many, then bucket and count of each: nothing counted, the same bucket twice, beyond the last, cut off.
    for wrong in [&[1, 5, 0][..], &[2, 5, 1, 0, 1], &[1, 0xff, 0x7f, 1], &[2, 5, 1]] {
        assert_eq!(Buckets::read(&mut Reader::new(wrong)), None, "{wrong:?}");
    }
}
