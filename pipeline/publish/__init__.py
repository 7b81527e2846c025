"""Publishing: from the finished months of the lake to the warehouse that readers open."""
