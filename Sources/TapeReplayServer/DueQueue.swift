/// What is due when, soonest first: a binary heap. Those that are due at the same time come in no order.
struct DueQueue<Element> {
  private var heap: [(dueNs: Int64, element: Element)] = []

  var nextNs: Int64? { heap.first?.dueNs }
  var isEmpty: Bool { heap.isEmpty }

  mutating func add(_ element: Element, dueNs: Int64) {
    heap.append((dueNs, element))
    var child = heap.count - 1
    while child > 0, case let parent = (child - 1) / 2, heap[child].dueNs < heap[parent].dueNs {
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// Takes out the one that is due first, if that is at `now` or before.
  mutating func next(now: Int64) -> Element? {
    guard let first = heap.first, first.dueNs <= now else { return nil }
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].dueNs < heap[least].dueNs {
        least = child
      }
      if least == parent { return first.element }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
