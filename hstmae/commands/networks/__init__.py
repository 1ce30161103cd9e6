"""The verbs that give a trained network another form."""
