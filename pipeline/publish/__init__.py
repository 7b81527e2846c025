"""Publishing: from the sealed months of the lake to the warehouse that readers open."""
