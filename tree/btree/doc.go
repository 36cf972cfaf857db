// Package btree implements an ordered map as a copy-on-write B-tree. Package tree uses
// it for the children of a directory, for the keys that are no paths and for those of leases, and package users for users and roles.
//
// The map holds items instead of pairs of key and value. The key of an item is its name:
// the part of its path after the path of the directory. So the map needs one pointer for
// each item, a third of the memory of a map from names to items.
//
// # Copy on write
//
// [Map.Clone] takes constant time. The clone shares all pages with the original, and
// copies a page before the first change of this page. An owner is a number that the
// caller chooses for each clone. Every page records the owner of the map that made it,
// and only a map with the same owner changes the page in place. So callers must follow
// two rules:
//
//   - The owner of a clone must differ from the owners of all maps with which it shares
//     pages.
//   - A map must not be changed after it was cloned or published to readers.
//
// # Goroutines
//
// Any number of goroutines may read a map that no goroutine changes. Only one goroutine at
// a time may change a map. A clone may be changed while other goroutines read the original.
//
// # Invariants
//
//   - A page holds 1 to maxItems items. A deletion that leaves fewer than minItems
//     in a page merges the page with a neighbour.
//   - An inner page has one child more than items. All leaves have the same depth.
//   - In a map of NewCounted an inner page has the number of items at and below each child.
//   - A page of minItems or more items has hints that agree with its items (see hints).
//   - No page keeps alive an item that the map does not hold: deleted slots are cleared,
//     and the two halves of a split page don't share an array.
//
// # Files
//
//	map.go       Map: reading, inserting, replacing
//	delete.go    deleting one item or many, and rebalancing the pages
//	page.go      one page: search, copy on write
//	rank.go      counting items by their order, and the counts of pages
//	cursor.go    Cursor: reading items one by one
//	hints.go     hints: four bytes of each name, to search a page without its items
package btree
