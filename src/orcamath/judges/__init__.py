"""Who decides whether a response reaches the reference: rules, a model, or rules first and a model for the rest."""
