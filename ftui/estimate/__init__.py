"""What a training needs, worked out from its settings and the facts about its base model."""
