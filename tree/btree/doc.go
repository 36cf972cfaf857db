// Package btree is an ordered map in a copy-on-write B-tree. Package tree keeps
// the children of a directory in it.
//
// The map holds items, not pairs of key and value: an item carries its own path,
// and the map orders the items by the part of the path that follows the
// directory's. One pointer for each item takes a third of the memory that a map
// from names would need.
//
// # Copy on write
//
// [Map.Clone] takes constant time. The clone shares all pages with the original,
// and copies a page the first time that it changes this page. Every page records
// the owner of the map that made it; only a map with the same owner changes the
// page in place. From this follow the duties of the caller:
//
//   - Clone must be given an owner that none of the maps which share pages with
//     the clone has.
//   - A map must not be changed after it was cloned or published to readers.
//
// # Goroutines
//
// Any number of goroutines may read a map while nobody changes it. Only one
// goroutine at a time may change a map. Clones may be changed while other
// goroutines read the original.
//
// # Invariants
//
//   - A page holds 1 to maxItems items. A deletion that leaves fewer than minItems
//     in a page merges the page with a neighbour.
//   - An inner page has one child more than items. All leaves have the same depth.
//   - A page of minItems or more has hints that agree with its items (see hints).
//   - No page keeps an item alive that the map does not hold: deleted slots are
//     cleared, and the two halves of a split page have arrays of their own.
//
// # Files
//
//	map.go       Map: reading, inserting, replacing
//	delete.go    deleting, and rebalancing the pages
//	page.go      one page: search, copy on write
//	hints.go     name hints, which make the search in a page cheap
package btree
