"""What makes models a zoo: their registry, recipes and cards, weights, training from a recipe, publishing."""
